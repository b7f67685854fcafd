//! Files that would fill the machine: endless lines, packed bombs, promises of more rows than there are.
//!
//! The program runs with a bound on its memory, so that filling it would be seen.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::trace::{folder, gzip, write};

/// Kilobytes of address space for one run. All that is read in parts needs less, and so does a file of YAML, which is held
/// whole, unless it comes near its bounds.
const MEMORY: &str = "400000";

/// Inspects what `feed` writes to standard input: how many bytes were taken, the exit code and stderr.
fn inspect(input: &str, feed: impl FnOnce(&mut dyn std::io::Write) -> u64) -> (u64, i32, String) {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -v \"$1\" && exec \"$0\" trace inspect \"$2\" >/dev/null"])
        .args([env!("CARGO_BIN_EXE_sim"), MEMORY, input])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let taken = feed(&mut stdin);
    drop(stdin);
    let ended = child.wait_with_output().unwrap();
    (taken, ended.status.code().unwrap(), String::from_utf8(ended.stderr).unwrap())
}

/// Writes `start` and then `filling` up to ten GB, as long as somebody reads.
fn endless(start: &str, filling: &[u8]) -> impl FnOnce(&mut dyn std::io::Write) -> u64 {
    let (start, block) = (start.to_owned(), filling.repeat((1 << 16) / filling.len()));
    move |out| {
        let mut taken = 0;
        let mut write = |bytes: &[u8]| out.write_all(bytes).is_ok().then(|| taken += bytes.len() as u64);
        if write(start.as_bytes()).is_some() {
            for _ in 0..(10_u64 << 30) / block.len() as u64 {
                if write(&block).is_none() {
                    break;
                }
            }
        }
        taken
    }
}

#[test]
fn a_line_of_ten_gigabytes_ends_with_an_error() {
    let too_long = |line: u32, mib: u32| {
        format!(
            "error: failed to read trace `-`\nline {line}: this record is longer than {mib} MiB\n\
             hint: a quote that is never closed, or a file that is no trace, looks like this\n"
        )
    };
    for (format, start, filling, line, mib) in [
        ("native", "job_id,submit_s,run_s,team\n1,0,5,", "abcdefgh", 2, 1),
        ("native", "job_id,submit_s,run_s,team\n1,0,5,t\n2,0,5,\"", "abcdefg\n", 3, 1),
        ("native", "", "abcdefg,", 1, 1),
        ("swf", "; Version: 2\n1 0 ", "0 ", 2, 1),
        ("swf", ";", "abcdefgh", 1, 1),
        ("helios", "job_id,", "abcdefgh", 1, 1),
        ("sacct", "JobID|", "abcdefg|", 1, 1),
        ("gavel", "job\t", "abcdefg\t", 1, 1),
        ("philly-log", "[\n{\"jobid\": \"", "abcdefgh", 2, 16),
        ("kueue", "{\"items\": [\n{\"kind\": [", "1,2,", 2, 16),
        ("skypilot", "[{\"a\": \"\\", "\\\"\\\\", 1, 16),
    ] {
        let (taken, code, stderr) = inspect(&format!("-:{format}"), endless(start, filling.as_bytes()));
        assert_eq!((code, stderr), (2, too_long(line, mib)), "{format}");
        assert!(taken < 24 << 20, "{format}: {taken} bytes were read");
    }
}

#[test]
fn yaml_and_tables_of_ten_gigabytes_end_with_an_error() {
    let (taken, code, stderr) =
        inspect("-:kueue", endless("kind: Workload\nmetadata:\n  name: ", b"abcdefgh"));
    let message = "this YAML is longer than 64 MiB\nhint: export it as JSON\n";
    assert_eq!((code, stderr), (2, format!("error: failed to read trace `-`\n{message}")));
    assert!(taken < 70 << 20, "{taken}");
    let (taken, code, stderr) = inspect("-:gavel-throughputs", endless("{\"v100\": {\"", b"abcdefgh"));
    assert!(stderr.contains("this is no throughput table"), "{stderr}");
    assert_eq!(code, 2);
    assert!(taken < 70 << 20, "{taken}");
}

/// Long keys of a mapping on one line, each with a value.
fn flow_keys(count: usize) -> String {
    (0..count).map(|key| format!("k{key:0999}: 1,")).collect::<Vec<_>>().concat()
}

/// Memory follows the text of YAML and not how much stands in it; and how much may stand in it is bounded too.
#[test]
fn yaml_of_many_small_parts_needs_little_memory() {
    let folder = folder();
    let many = "there is more in this YAML than in any that is printed\n\
                hint: export it as JSON, or in several files\n";
    for (name, text, said) in [
        ("list.yaml", "- a\n".repeat(2_000_000), "line 1, character "),
        ("items.yaml", format!("kind: List\nitems: [{}]", "{a},".repeat(700_000)), "line 2, character 9, "),
        ("one.yaml", format!("kind: Job\nitem: [{}]", "a,".repeat(5_000_000)), "is longer than 16 MiB\n"),
        ("keys.yaml", format!("{{{}}}", flow_keys(30_000)), "an object in this YAML is longer than 16 MiB\n"),
        ("documents.yaml", "--- a\n".repeat((1 << 20) + 1), many),
    ] {
        let path = write(&folder, name, text.as_bytes());
        let (_, code, stderr) = inspect(&format!("{}:kueue", path.display()), |_| 0);
        assert!(code == 2 && stderr.contains(said), "{name}: {code}: {stderr}");
    }
}

/// The same text packed: a few megabytes that unpack to ten gigabytes.
#[test]
fn a_packed_bomb_ends_with_an_error() {
    let folder = folder();
    let start = "job_id,submit_s,run_s,team\n1,0,5,";
    let block = vec![b'a'; 64 << 20];
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let pack = |name: &str, bytes: &[u8]| if name == "bomb.gz" { gzip(bytes) } else { zstd(bytes) };
    for name in ["bomb.gz", "bomb.zst"] {
        let path = folder.path().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(&pack(name, start.as_bytes())).unwrap();
        let packed = pack(name, &block);
        for _ in 0..160 {
            file.write_all(&packed).unwrap();
        }
        assert!(file.metadata().unwrap().len() < 12 << 20);
        drop(file);
        let (_, code, stderr) = inspect(path.to_str().unwrap(), |_| 0);
        assert_eq!(code, 2);
        assert!(stderr.contains("\nline 2: this record is longer than 1 MiB\n"), "{stderr}");
    }
}

#[test]
fn a_frame_that_wants_two_gigabytes_of_window_is_refused() {
    // Magic number, no options, a window of 2^31 bytes, and the head of a block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x03, 0x00, 0x00, b'x'];
    let folder = folder();
    let path = folder.path().join("window.zst");
    std::fs::write(&path, frame).unwrap();
    let (_, code, stderr) = inspect(path.to_str().unwrap(), |_| 0);
    assert_eq!(code, 2);
    let found = "\nline 1, character 1: expected more zstd data, found damage\nhint: ";
    assert!(stderr.contains(found), "{stderr}");
}

/// What a head promises is never believed: memory follows the rows that come.
#[test]
fn a_billion_promised_rows_cost_nothing() {
    let head = "; MaxJobs: 1000000000\n; MaxRecords: 1000000000\n; MaxProcs: 1000000000\n";
    let row = "1 0 0 5 1 0 0 1 9 0 1 1 1 1 1 1 -1 -1\n";
    let (_, code, stderr) = inspect("-", endless_once(head, row));
    assert_eq!((code, stderr.as_str()), (0, ""));
}

/// Rows that all ask for something else, of which none comes again: memory does not follow their number.
#[test]
fn requests_that_never_come_again_are_not_kept() {
    let folder = folder();
    let path = folder.path().join("unlike.csv");
    let mut text = String::from("job_id,submit_s,run_s,team,cpu,memory_gib,pools\n");
    for row in 0..800_000 {
        writeln!(text, "{row},{row},60,a,{},{},p{row}", 1 + row % 700, 1 + row / 700).unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let input = path.to_str().unwrap();
    let (_, code, stderr) = inspect(input, |_| 0);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let converted = Command::new("sh")
        .args(["-c", "ulimit -v \"$1\" && exec \"$0\" trace convert \"$2\" --out \"$2.out\""])
        .args([env!("CARGO_BIN_EXE_sim"), MEMORY, input])
        .output()
        .unwrap();
    assert_eq!(converted.status.code(), Some(0), "{}", String::from_utf8_lossy(&converted.stderr));
    // The columns stand in another order, and all values come back.
    let length = std::fs::metadata(folder.path().join("unlike.csv.out")).unwrap().len();
    assert_eq!(length, std::fs::metadata(&path).unwrap().len());
}

fn endless_once(head: &str, row: &str) -> impl FnOnce(&mut dyn std::io::Write) -> u64 {
    let text = format!("{head}{row}");
    move |out| {
        out.write_all(text.as_bytes()).unwrap();
        text.len() as u64
    }
}

/// Deep nesting is refused before it can use up the stack.
#[test]
fn nesting_is_bounded() {
    let folder = folder();
    for (name, text) in [
        ("deep.json:kueue", "[".repeat(10_000_000)),
        ("deep.json:gavel-throughputs", "{\"a\":".repeat(1_000_000)),
        ("deep.yaml:kueue", format!("a: {}", "[".repeat(1_000_000))),
        ("deep.yaml:kueue", (0..2000).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "a:\n")),
        ("bomb.yaml:kueue", laughs()),
    ] {
        let file = Path::new(name.split(':').next().unwrap());
        std::fs::write(folder.path().join(file), text).unwrap();
        let (_, code, stderr) = inspect(folder.path().join(name).to_str().unwrap(), |_| 0);
        assert_eq!(code, 2, "{name}: {stderr}");
    }
}

/// Aliases of aliases, two to the thirtieth texts.
fn laughs() -> String {
    let mut text = "a0: &a0 [lol, lol]\n".to_owned();
    for level in 1..30 {
        writeln!(text, "a{level}: &a{level} [*a{below}, *a{below}]", below = level - 1).unwrap();
    }
    text
}
