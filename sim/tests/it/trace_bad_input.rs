//! What every format says to a file that is not what it should be: whole messages, nothing read half.

use std::fmt::Write as _;

use fairshare_sim::trace::{Input, Trace, TraceOptions, inspect};

use crate::trace::{folder, message};

/// Loads `text` as `format` and wants exactly this refusal; inspecting refuses alike.
fn refused(format: &str, text: &str, expected: &str) {
    let folder = folder();
    let path = folder.path().join("file");
    std::fs::write(&path, text).unwrap();
    let input = [Input::parse(&format!("{}:{format}", path.display()))];
    assert!(input[0].format.is_some(), "{format}");
    let options = TraceOptions { partial: true, ..TraceOptions::default() };
    let shown = message(Trace::load(&input, &options));
    assert_eq!(shown, format!("failed to read trace `file`\n{expected}"), "{format}");
    let inspected = inspect(&input, &TraceOptions::default(), None).unwrap_err();
    assert_eq!(inspected.message().replace(&inspected.path, "file"), shown, "{format}");
}

const INSTANT: &str = "expected seconds or a date like `2026-01-31T12:00:00Z`";

#[test]
fn native() {
    let header = "job_id,submit_s,run_s,team,workers,preemptible,accelerators\n";
    let refused = |row: &str, expected: &str| refused("native", &format!("{header}{row}\n"), expected);
    refused(
        "1,0,5,t,1,,H200:fast",
        "line 2, column `accelerators`: expected alternatives like `H200`, `H200:1|A100:0.5` or \
         `H200*1x8:1|A100*2x8:0.5`, found `H200:fast`",
    );
    refused("1,0,5,t,1.5,,", "line 2, column `workers`: expected a whole number of workers, found `1.5`");
    refused("1,0,5,t,1,maybe,", "line 2, column `preemptible`: expected `true` or `false`, found `maybe`");
    refused("1,noon,5,t,1,,", &format!("line 2, column `submit_s`: {INSTANT}, found `noon`"));
}

/// Names that a file gives to its columns and keys steer no terminal.
#[test]
fn control_characters_are_shown() {
    refused(
        "native",
        "job_id,submit_s,run_s,team,res_\u{1b}[31m\n1,0,5,t,many\n",
        "line 2, column `res_\\u{1b}[31m`: expected a number, found `many`",
    );
    refused(
        "native",
        "job_id,submit_s,run_s,te\u{1b}[1m\n",
        "line 1: the column `team` is missing\nhint: the file has `job_id`, `submit_s`, `run_s`, `te\\u{1b}[1m`",
    );
    refused(
        "native",
        "job_id,submit_s,run_s,team,res_\u{7},res_\u{7}\n",
        "line 1: the column `res_\\u{7}` stands there twice",
    );
    refused(
        "kueue",
        "{\"kind\": \"Node\", \"metadata\": {\"name\": \"\\u001b\", \"labels\": {\"\\u0007\": []}}}",
        "line 1, character 70, Node `\\u{1b}`, field `metadata.labels.\\u{7}`: expected a text, found `[]`",
    );
}

/// What one row may list is bounded: all alternatives and pools of it are kept.
#[test]
fn lists_of_a_row_are_bounded() {
    let row = |accelerators: &str, pools: &str| {
        format!("job_id,submit_s,run_s,team,accelerators,pools\n1,0,5,t,{accelerators},{pools}\n")
    };
    for (text, column, most) in
        [(row(&"A:0.5|".repeat(65), ""), "accelerators", 64), (row("", &"p|".repeat(1001)), "pools", 1000)]
    {
        let found = most + 1;
        refused(
            "native",
            &text,
            &format!("line 2, column `{column}`: expected at most {most} {column}, found {found}"),
        );
    }
    let folder = folder();
    let path = folder.path().join("row.csv");
    std::fs::write(&path, row(&"A:0.5|".repeat(64), &"p|".repeat(1000))).unwrap();
    let trace = Trace::load(&[Input::parse(path.to_str().unwrap())], &TraceOptions::default()).unwrap();
    let shape = &trace.shapes[0];
    assert_eq!((shape.alternatives.len(), shape.alternatives[63].pools.len()), (64, 1000));
}

/// Names of further resources are kept for the whole trace.
#[test]
fn names_of_resources_are_bounded() {
    let expected = "expected one of at most 1000 resources, each with a name of at most 1000 bytes";
    let table = |count: usize| {
        let mut text = String::from("job_id,submit_s,run_s,team");
        (0..count).for_each(|number| write!(text, ",res_r{number}").unwrap());
        text + "\n1,0,5,t" + &",1".repeat(count) + "\n"
    };
    refused("native", &table(1001), &format!("line 2: {expected}, found `r1000`"));
    let long = "r".repeat(1001);
    let shown = format!("`{}…`", "r".repeat(39));
    refused(
        "native",
        &format!("job_id,submit_s,run_s,team,res_{long}\n1,0,5,t,1\n"),
        &format!("line 2: {expected}, found {shown}"),
    );
    let folder = folder();
    let path = folder.path().join("row.csv");
    std::fs::write(&path, table(1000)).unwrap();
    let trace = Trace::load(&[Input::parse(path.to_str().unwrap())], &TraceOptions::default()).unwrap();
    assert_eq!(trace.resources.len(), 1000);
    let requests: Vec<String> = (0..1001).map(|number| format!("\"r{number:04}\": 1")).collect();
    let requests = requests.join(", ");
    kueue_refused(
        &format!(
            "{{\"kind\": \"Workload\", \"spec\": {{\"podSets\": $[{{\"template\": {{\"spec\": {{\"containers\": \
             [{{\"resources\": {{\"requests\": {{{requests}}}}}}}]}}}}}}]}}}}"
        ),
        "Workload without name",
        "spec.podSets",
        &format!("{expected}, found `r1000`"),
    );
}

#[test]
fn native_header_twice() {
    refused(
        "native",
        "job_id,submit_s,run_s,team,team\n1,0,5,t,t\n",
        "line 1: the column `team` stands there twice",
    );
}

#[test]
fn swf() {
    refused(
        "swf",
        "1 0 0 5 1 0 0 1 9 0 1 1 1 1 1 1 -1\n",
        "line 1, column `18`: expected 18 fields, found 17",
    );
    refused(
        "swf",
        "; Version: 2\n1 0 0 5 1 0 0 1 9 0 1 1 1 1 1 1 -1 x\n",
        "line 2, column `think time (field 18)`: expected a number, found `x`",
    );
    refused(
        "swf",
        "1 0 0 5 1.5 0 0 1 9 0 1 1 1 1 1 1 -1 -1\n",
        "line 1, column `allocated processors (field 5)`: expected a whole number, found `1.5`",
    );
}

#[test]
fn philly() {
    let header = "timestamp,duration,num_gpus,gpu_time,cluster\n";
    refused(
        "philly-list",
        &format!("{header}2017-10-09 07:01:55,10,x,10,a\n"),
        "line 2, column `num_gpus`: expected a whole number of GPUs, found `x`",
    );
    refused(
        "philly-list",
        &format!("{header}yesterday,10,1,10,a\n"),
        &format!("line 2, column `timestamp`: {INSTANT}, found `yesterday`"),
    );
    refused(
        "philly-machines",
        "machineId,number of GPUs,single GPU mem\nm1,two,12GB\n",
        "line 2, column `number of GPUs`: expected a number, found `two`",
    );
    refused(
        "philly-log",
        "[{\"status\": \"Pass\", \"vc\": \"a\", \"jobid\": \"1\",\n\"attempts\": [{\"start_time\": \"2017\"}]}]",
        "line 2, character 29, column `attempts[0].start_time`: expected a date like `2017-10-09 07:01:55`, found `2017`\n\
         hint: it is in the job `1`",
    );
}

#[test]
fn helios() {
    let header =
        "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n";
    refused(
        "helios",
        &format!("{header}1,u,v,one,1,1,COMPLETED,2020-04-01 00:00:00,None,None,0,0\n"),
        "line 2, column `gpu_num`: expected a whole number of GPUs, found `one`",
    );
    refused(
        "helios",
        "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,duration\n",
        "line 1: the column `end_time` is missing\nhint: the file has `job_id`, `user`, `vc`, `gpu_num`, `cpu_num`, \
         `node_num`, `state`, `submit_time`, `start_time`, `duration`",
    );
    refused(
        "helios-quotas",
        "date,vc1,total\n2020-04-01,8,8\n04/02/2020,8,8\n",
        "line 3, column `date`: expected a date like `2020-04-01`, found `04/02/2020`",
    );
    refused(
        "helios-quotas",
        "date,vc1,total\n2020-04-01,-8,8\n",
        "line 2, column `vc1`: expected a whole number of GPUs, found `-8`",
    );
}

#[test]
fn acme() {
    refused(
        "acme",
        "job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_time\n\
         d,u,1,8,96,T,COMPLETED,2023-03-01 08:00,2023-03-01 08:00:05+08:00,2023-03-01 09:00:05+08:00,3600,5,28800\n",
        &format!("line 2, column `submit_time`: {INSTANT}, found `2023-03-01 08:00`"),
    );
}

#[test]
fn openb() {
    refused(
        "openb",
        "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,\
         scheduled_time\np,12000,16384,many,460,,LS,Running,0,100,5\n",
        "line 2, column `num_gpu`: expected a whole number of GPUs, found `many`",
    );
    refused(
        "openb-nodes",
        "sn,cpu_milli,memory_mib,gpu,model\nn0,32000,262144,eight,\n",
        "line 2, column `gpu`: expected a whole number, found `eight`",
    );
    refused(
        "openb-nodes",
        "sn,cpu_milli,memory_mib,gpu,model\nn0,32000,-1,0,\n",
        "line 2, column `memory_mib`: expected a whole number within the range of this program, found `-1`",
    );
}

#[test]
fn pai() {
    refused(
        "pai",
        "job1,i1,u1,Terminated,noon,200\n",
        "line 1, column `start_time`: expected a number of seconds, found `noon`",
    );
    refused(
        "pai-tasks",
        "job1,ps,2,Terminated,105,200,600,10,all,V100\n",
        "line 1, column `plan_gpu`: expected a number, found `all`",
    );
    refused(
        "pai-tasks",
        "job1,ps,2,Terminated,105,200,600,10,0\n",
        "line 1, column `10`: expected 10 fields, found 9",
    );
    refused(
        "pai-machines",
        "m1,CPU,96,lots,0\n",
        "line 1, column `cap_mem`: expected a number of GB, found `lots`",
    );
}

#[test]
fn gavel() {
    let line = |steps: &str, scale: &str| {
        format!("ResNet-18 (batch size 16)\tcmd\twd\t--n\t0\t{steps}\t{scale}\t1\t-1\t0.0\n")
    };
    refused(
        "gavel",
        &line("many", "1"),
        "line 1, column `total_steps`: expected a whole number of steps, found `many`",
    );
    refused(
        "gavel",
        &line("100", "few"),
        "line 1, column `scale_factor`: expected a whole number of GPUs, found `few`",
    );
    refused("gavel", "ResNet-18\tcmd\t0\n", "line 1, column `4`: expected 10 fields, found 3");
    refused(
        "gavel-throughputs",
        "{\"v100\": {\"('A', 1)\": {\"null\": \"fast\"}}}",
        "line 1, character 32, column `v100.('A', 1).null`: this is no throughput table\nhint: expected `{type: \
         {\"('job type', scale)\": {\"null\": steps per second}}}`",
    );
}

#[test]
fn sacct() {
    refused(
        "sacct",
        "JobID|State|Submit|Account|ElapsedRaw\n1|COMPLETED|noon|a|10\n",
        &format!("line 2, column `Submit`: {INSTANT}, found `noon`"),
    );
    refused(
        "sacct",
        "JobID|State|Submit|Account|Elapsed\n1|COMPLETED|0|a|ten\n",
        "line 2, column `Elapsed`: expected a duration like `1-12:30:00`, found `ten`",
    );
    refused(
        "sacct",
        "JobID|State|Submit|Account|ElapsedRaw|AllocTRES\n1|COMPLETED|0|a|10|cpu:8\n",
        "line 2, column `AllocTRES`: expected trackable resources like `cpu=8,gres/gpu:h200=8,mem=100G,node=1`, \
         found `cpu:8`",
    );
    refused(
        "sacct",
        "JobID|State|Submit|ElapsedRaw\n",
        "line 1: the column `Account` is missing\nhint: the file has `JobID`, `State`, `Submit`, `ElapsedRaw`",
    );
}

/// An object in a list, whose `$` marks the place that is wrong, in the one line that it is; `what` is said there.
fn kueue_refused(object: &str, called: &str, way: &str, what: &str) {
    let text = format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{object}]}}");
    let place = text.chars().position(|letter| letter == '$').unwrap() + 1;
    let expected = format!("line 1, character {place}, {called}, field `{way}`: {what}");
    refused("kueue", &text.replace('$', ""), &expected);
    // The same as YAML, which JSON nearly is; behind comments, a document without anything and another one.
    let text = format!("# é\n---\n---\nkind: Other\n---\n- kind: Ä\n- {object}\n");
    let place = text.lines().nth(6).unwrap().chars().position(|letter| letter == '$').unwrap() + 1;
    let expected = format!("line 7, character {place}, {called}, field `{way}`: {what}");
    refused("kueue", &text.replace('$', ""), &expected);
}

#[test]
fn kueue() {
    let time = "expected a time like `2026-01-31T12:00:00Z`, found `soon`";
    kueue_refused(
        "{\"kind\": \"Workload\", \"metadata\": {\"name\": \"ä\", \"creationTimestamp\": $\"soon\"}}",
        "Workload `ä`",
        "metadata.creationTimestamp",
        time,
    );
    kueue_refused(
        "{\"kind\": \"Workload\", \"metadata\": {\"name\": $7}}",
        "Workload without name",
        "metadata.name",
        "expected a text, found `7`",
    );
    kueue_refused(
        "{\"kind\": \"Node\", \"status\": {\"allocatable\": {\"memory\": $\"lots\"}}}",
        "Node without name",
        "status.allocatable.memory",
        "expected a quantity like `500m` or `2Gi`, found `lots`",
    );
    kueue_refused(
        "{\"kind\": \"Node\", \"spec\": {\"unschedulable\": $\"yes\"}}",
        "Node without name",
        "spec.unschedulable",
        "expected `true` or `false`, found `yes`",
    );
    kueue_refused(
        "${\"metadata\": {\"name\": \"a\"}}",
        "object `a`",
        "kind",
        "expected a kind such as `Workload`, found nothing",
    );
    kueue_refused(
        "{\"kind\": \"Node\", \"status\": {\"allocatable\": {\"a/gpu\": 9007199254740, \"b/gpu\": $1}}}",
        "Node without name",
        "status.allocatable.b/gpu",
        "expected a quantity like `500m` or `2Gi` within the range of this program, found `1`",
    );
    refused(
        "kueue",
        "{\"kind\": \"Workload\", \"status\": {\"conditions\": [\n{}, {\"lastTransitionTime\": \"soon\"}]}}",
        &format!(
            "line 2, character 28, Workload without name, field `status.conditions[1].lastTransitionTime`: {time}"
        ),
    );
    refused(
        "kueue",
        "apiVersion: v1\nkind: Workload\nmetadata: [\n",
        "line 3, character 11: this is no YAML of objects\nhint: kubectl prints it with `-o yaml`",
    );
    refused(
        "kueue",
        "{kind: Workload, metadata: {name: a, namespace: b, creationTimestamp: soon}}\n",
        &format!("line 1, character 71, Workload `b/a`, field `metadata.creationTimestamp`: {time}"),
    );
    refused(
        "kueue",
        "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"é\": 1,, \"kind\": \"Workload\"}]}",
        "line 1, character 56: this is no Kubernetes object: key must be a string",
    );
}

#[test]
fn mappings_of_kueue_are_mappings() {
    for (object, way, found) in [
        ("\"metadata\": $7", "metadata", "7"),
        ("\"status\": {\"admission\": $\"cq\"}", "status.admission", "cq"),
        ("\"spec\": {\"priorityClassRef\": $\"high\"}", "spec.priorityClassRef", "high"),
        ("\"spec\": {\"podSets\": [{}, $3]}", "spec.podSets[1]", "3"),
    ] {
        let object = format!("{{\"kind\": \"Workload\", {object}}}");
        let what = format!("expected a mapping, found `{found}`");
        kueue_refused(&object, "Workload without name", way, &what);
    }
    // The longest key of those on the way.
    refused(
        "kueue",
        "kind: Node\nmetadata:\n  labels: {app: web, app.kubernetes.io: 1, app.kubernetes.io/name: [1]}\n",
        "line 3, character 68, Node without name, field `metadata.labels.app.kubernetes.io/name`: expected a text, \
         found `[1]`",
    );
    refused("kueue", "- 7\n", "line 1, character 3, object without name: expected a mapping, found `7`");
}

#[test]
fn numbers_of_kueue_are_not_guessed() {
    let set = |set: &str| format!("{{\"kind\": \"Workload\", \"spec\": {{\"podSets\": [{{}}, {set}]}}}}");
    for (count, found) in [
        ("\"x\"", "x"),
        ("\"4\"", "4"),
        ("4.5", "4.5"),
        ("true", "true"),
        ("2147483648", "2147483648"),
        ("[4]", "[4]"),
    ] {
        kueue_refused(
            &set(&format!("{{\"count\": ${count}}}")),
            "Workload without name",
            "spec.podSets[1].count",
            &format!("expected a number of pods, found `{found}`"),
        );
    }
    for (part, way, what) in [
        ("\"priority\": $\"x\"", "priority", "expected a priority of 32 bits, found `x`"),
        ("\"active\": $\"no\"", "active", "expected `true` or `false`, found `no`"),
        ("\"queueName\": $5", "queueName", "expected a text, found `5`"),
        ("\"priorityClassRef\": {\"name\": $5}", "priorityClassRef.name", "expected a text, found `5`"),
        (
            "\"maximumExecutionTimeSeconds\": $1.5",
            "maximumExecutionTimeSeconds",
            "expected a whole number of seconds, found `1.5`",
        ),
        ("\"podSets\": ${\"count\": 1}", "podSets", "expected a list, found `{\"count\":1}`"),
    ] {
        let object = format!("{{\"kind\": \"Workload\", \"spec\": {{{part}}}}}");
        kueue_refused(&object, "Workload without name", &format!("spec.{way}"), what);
    }
    for (part, way, what) in [
        ("\"containers\": $\"x\"", "containers", "expected a list, found `x`"),
        (
            "\"containers\": [{\"resources\": {\"requests\": {\"cpu\": $\"1x\"}}}]",
            "containers[0].resources.requests.cpu",
            "expected a quantity like `500m` or `2Gi`, found `1x`",
        ),
        (
            "\"initContainers\": [{}, {\"resources\": {\"limits\": $[1]}}]",
            "initContainers[1].resources.limits",
            "expected a mapping, found `[1]`",
        ),
        (
            "\"containers\": [{\"resources\": $\"8 GPUs\"}]",
            "containers[0].resources",
            "expected a mapping, found `8 GPUs`",
        ),
        (
            "\"overhead\": {\"cpu\": $true}",
            "overhead.cpu",
            "expected a quantity like `500m` or `2Gi`, found `true`",
        ),
    ] {
        let object = set(&format!("{{\"template\": {{\"spec\": {{{part}}}}}}}"));
        kueue_refused(
            &object,
            "Workload without name",
            &format!("spec.podSets[1].template.spec.{way}"),
            what,
        );
    }
}

#[test]
fn skypilot() {
    refused(
        "skypilot",
        "[{\"job_id\": 1, \"submitted_at\": \"noon\", \"status\": \"SUCCEEDED\"}]",
        "line 1, character 32, column `submitted_at`: this is no SkyPilot job record: invalid type: string \
         \"noon\", expected a JSON number",
    );
    refused(
        "skypilot",
        "[{\"job_id\": 1,\n\"accelerators\": 8, \"status\": \"SUCCEEDED\"}]",
        "line 2, character 17, column `accelerators`: expected accelerators like `{\"H200\": 8}`, found `8`",
    );
    for found in ["{\"A|B\":1}", "{\"A*2x8\":1}", "{\"A:0.5\":1}", "{\" \":1}", "{\"H200\":-1}"] {
        refused(
            "skypilot",
            &format!("[{{\"job_id\": 1, \"accelerators\": {found}, \"status\": \"SUCCEEDED\"}}]"),
            &format!(
                "line 1, character 32, column `accelerators`: expected accelerators like `{{\"H200\": 8}}`, \
                 found `{found}`"
            ),
        );
    }
    refused(
        "skypilot",
        "{\"jobs\": [{\"job_id\": 1},\n {\"id\": 7}], \"total\": 1}",
        "line 2, character 2: this is no SkyPilot job record: it has none of the keys `job_id`, \
         `submitted_at`, `status`",
    );
    for found in ["2x[H200:x]", "1x[CPU:many]", "99999999999999999999x[H200:8]", "1x(cpus=few)", "1x[H200:8"]
    {
        refused(
            "skypilot",
            &format!("[{{\"job_id\": 1, \"status\": \"SUCCEEDED\",\n  \"resources\": \"{found}\"}}]"),
            &format!(
                "line 2, character 16, column `resources`: expected resources like `2x[H200:8]` or \
                 `1x[CPU:4+]`, found `{found}`"
            ),
        );
    }
}

#[test]
fn skypilot_tasks() {
    refused(
        "skypilot-task",
        "resources:\n  accelerators: H200:many\n",
        "line 2, character 17, column `resources.accelerators`: expected accelerators like `H200:8`, found \
         `H200:many`",
    );
    refused(
        "skypilot-task",
        "name: first\n---\nnum_nodes: few\n",
        "line 3, character 12, column `num_nodes`: expected a number of nodes, found `few`",
    );
    refused(
        "skypilot-task",
        "resources:\n  any_of:\n  - cpus: 4\n  - H200:8\n",
        "line 4, character 5, column `resources.any_of[1]`: expected a mapping, found `H200:8`",
    );
    refused(
        "skypilot-task",
        "resources: 8\n",
        "line 1, character 12, column `resources`: expected a mapping, found `8`",
    );
    refused(
        "skypilot-task",
        "resources: [1, 2\n",
        "line 1, character 12: this is no YAML of objects\n\
         hint: a task file is a mapping with `resources`; `---` stands between tasks",
    );
}

const CUT: &str = "the JSON ends too early\nhint: the file was cut off on its way: fetch it again";

/// Lists of objects are JSON between the objects, before and behind them too.
#[test]
fn objects_of_json_are_separated_by_commas() {
    let one = "{\"kind\": \"Other\"}";
    for (text, character, expected, found) in [
        (format!("[{one} {one}]"), 20, "`,` or `]` behind an object", "{"),
        (format!("[, {one}]"), 2, "a JSON object", ","),
        (format!("[{one},, {one}]"), 20, "a JSON object", ","),
        (format!("[{one},]"), 20, "a JSON object", "]"),
        (format!("[{one}, 7]"), 21, "a JSON object", "7"),
    ] {
        refused(
            "kueue",
            &text,
            &format!("line 1, character {character}: expected {expected}, found `{found}`"),
        );
    }
    for (rest, character, what) in [
        ("garbage, \"items\": []}", 31, "expected `,` or `}` behind a list, found `g`"),
        (", kind: 1}", 33, "this is no list of objects: key must be a string"),
        (", \"a\": 1 \"b\": 2}", 40, "this is no list of objects: expected `,` or `}`"),
        (", }", 33, "expected a key behind the comma, found `}`"),
        (", \"items\": []}", 42, "the key `items` stands there twice"),
        (", \"items\": 1}", 42, "the key `items` stands there twice"),
        (", \"a\": [", 39, CUT),
    ] {
        let text = format!("{{\"items\": [{one}] {rest}");
        refused("kueue", &text, &format!("line 1, character {character}: {what}"));
    }
    for (head, character, what) in [
        ("\"kind\" 1, \"items\": [", 9, "this is no list of objects: expected `:`"),
        ("\"items\": 1, \"items\": [", 23, "the key `items` stands there twice"),
        ("\"items\" [", 10, "this is no Kubernetes object: expected `:`"),
    ] {
        refused("kueue", &format!("{{{head}{one}]}}"), &format!("line 1, character {character}: {what}"));
    }
    refused(
        "kueue",
        "{\"items\": [\n  {\"kind\": \"ü\" \"metadata\": 1}]}",
        "line 2, character 16: this is no Kubernetes object: expected `,` or `}`",
    );
}
