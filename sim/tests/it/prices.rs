//! `sim prices`: the table of our own, and a catalog with every fault that real ones have; computed by hand.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Ran, sim, sim_fed};
use crate::trace::folder;

const HEADER: &str =
    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,Region,SpotPrice,AvailabilityZone\n";

/// Prices of a catalog with these rows.
fn prices(rows: &str, more: &[&str]) -> Ran {
    let folder = folder();
    std::fs::write(folder.path().join("vms.csv"), format!("{HEADER}{rows}")).unwrap();
    sim(folder.path(), &[&["prices", "vms.csv"], more].concat())
}

fn json_of(rows: &str) -> Value {
    let ran = prices(rows, &["-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn offers(value: &Value) -> Vec<(String, String, String)> {
    let offers = value["prices"].as_array().unwrap().iter();
    let text = |offer: &Value, key: &str| offer[key].to_string().trim_matches('"').to_owned();
    offers
        .map(|offer| (text(offer, "instance"), text(offer, "gpu_hour"), text(offer, "spot_gpu_hour")))
        .collect()
}

fn named(rows: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    rows.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned())).collect()
}

#[test]
fn a_price_is_for_one_accelerator_and_the_lowest_of_its_zones() {
    let value = json_of("m8,H200,8,128,1600,28.00,eu,11.60,eu-a\nm8,H200,8,128,1600,28.00,eu,10.40,eu-b\n");
    assert_eq!(offers(&value), named(&[("m8", "3.5", "1.3")]));
    assert_eq!((&value["schema"], &value["faults"]), (&json!("sim.prices/1"), &json!({})));
    assert_eq!(value["sources"][0]["rows"], 2);
}

/// Lines are counted alike whatever ends them, the header's otherwise than the others', and however many are empty.
#[test]
fn lines_have_their_numbers_whatever_ends_them() {
    let rows = "a,H100,8,1,1,48,r1,16,\nb,H100,8,1,1,,r1,16,\nc,H100,8,1,1,-5,r1,16,\n";
    let ends = ["\n", "\r\n", "\r"];
    for (first, end) in ends.into_iter().flat_map(|first| ends.map(|end| (first, end))) {
        let folder = folder();
        let told = |rows: &str, before: &str, between: &str| {
            let header = HEADER.replace('\n', first);
            let text = format!("{before}{header}{between}{}", rows.replace('\n', end));
            std::fs::write(folder.path().join("vms.csv"), text).unwrap();
            sim(folder.path(), &["prices", "vms.csv"]).stderr
        };
        for (before, between, line) in [
            ("", "", 4),
            (first, "", 5),
            ("", end, if (first, end) == ("\r", "\n") { 4 } else { 5 }),
            ("\u{feff}", "", 4),
            ("\r\n\r\n", "\r\n\r\n", 8),
        ] {
            let broken = told(rows, before, between);
            assert!(broken.contains(&format!("line {line}, column `Price`")), "{first:?} {end:?}: {broken}");
            let left_out = told(&rows.replace("-5", "5"), before, between);
            let said = format!("1 row with no price: left out (line {})", line - 1);
            assert!(left_out.contains(&said), "{first:?} {end:?}: {left_out}");
        }
    }
    // A row of several lines is at its first.
    let value = json_of("\"a\n\nb\",H100,8,1,1,48,r1,16,\r\n\r\nb,H100,8,1,1,,r1,16,\n");
    assert_eq!(value["faults"]["no price"]["first_lines"], json!([6]));
}

#[test]
fn known_faults_of_catalogs_are_caught_and_counted() {
    let value = json_of(
        "good,H100,8,1,1,48,r1,16,\nempty,H100,8,1,1,,r1,16,\nzero,H100,8,1,1,0,r1,,\nabove,H100,8,1,1,14.7,r1,15.7,\n\
         equal,H100,8,1,1,56,r1,56,\nlow,H100,8,1,1,23.6,r2,,\n",
    );
    assert_eq!(
        offers(&value),
        named(&[("low", "2.95", "null"), ("good", "6.0", "2.0"), ("equal", "7.0", "null")])
    );
    let faults = &value["faults"];
    for (reason, line) in [
        ("no price", 3),
        ("price of zero", 4),
        ("spot above on demand", 5),
        ("spot equal to on demand", 6),
        ("less than half of the median of its accelerator", 7),
    ] {
        assert_eq!(
            (&faults[reason]["count"], &faults[reason]["first_lines"]),
            (&json!(1), &json!([line])),
            "{reason}"
        );
    }
}

#[test]
fn hosts_and_accelerators_in_rows_of_their_own_are_joined() {
    let rows = "a3-highgpu-8g,,,208,1872,9.46,us-east4,2.16,us-east4-a\n,H100,8,,,78.38,us-east4,,us-east4-a\n\
                g2-standard-4,,,4,16,0.147,us-central1,0.05,\ng2-standard-32,,,32,128,1.2,us-central1,0.4,\n\
                ,L4,1,,,0.56,us-central1,0.223,\n,T4,1,,,0.35,us-central1,0.175,\n";
    let value = json_of(rows);
    // (78.38 + 9.46) / 8; 0.56 + 0.147 and 0.223 + 0.05; a T4 can sit in many hosts.
    let expected =
        [("a3-highgpu-8g", "10.98", "null"), ("g2-standard-4", "0.707", "0.273"), ("", "0.35", "0.175")];
    assert_eq!(offers(&value), named(&expected));
    assert_eq!(value["prices"][2]["covers"], "gpu");
    assert_eq!(value["faults"]["accelerator without its host"]["first_lines"], json!([7]));
}

#[test]
fn the_table_for_people_fits() {
    let ran = sim(Path::new("."), &["prices", "--accelerator", "h200"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = ran.stdout.lines().nth(1).unwrap();
    assert_eq!(line, "H200        eu-north1       8x nebius                     3.5     1.45");
    let all = sim(Path::new("."), &["prices"]).stdout;
    assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    let warned = prices("a,H100,8,1,1,,r1,,\nb,H100,8,1,1,8,r1,,\n", &[]);
    assert_eq!(warned.stderr, "warning: 1 row with no price: left out (line 2)\n");
    let warned = prices("a,H100,8,1,1,9,r1,,\nb,H100,0,1,1,8,r1,,\n", &[]);
    assert_eq!(warned.stderr, "warning: 1 row with accelerators of number zero: left out (line 3)\n");
}

/// As standard input, and compressed, which the first bytes say, not the name.
#[test]
fn a_catalog_comes_by_standard_input_or_compressed() {
    use std::io::Write as _;
    let text = format!("{HEADER}a,H100,8,1,1,16,r1,,\n");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let forms =
        [text.clone().into_bytes(), gzip.finish().unwrap(), zstd::encode_all(text.as_bytes(), 1).unwrap()];
    let folder = folder();
    let rows = |ran: Ran| {
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    for bytes in forms {
        std::fs::write(folder.path().join("vms"), &bytes).unwrap();
        let named = rows(sim(folder.path(), &["prices", "vms"]));
        assert_eq!(named, ["H100        r1              8x a                            2        -"]);
        assert_eq!(rows(sim_fed(folder.path(), &["prices", "-"], &bytes)), named);
    }
    std::fs::write(folder.path().join("vms"), [0x1f, 0x8b, 8, 0]).unwrap();
    let ran = sim(folder.path(), &["prices", "vms"]);
    assert!(
        ran.code == 2 && ran.stderr.starts_with("error: failed to read catalog `vms`: "),
        "{}",
        ran.stderr
    );
}

/// A catalog is read as a trace is: padding behind gzip data is none of it, and one record does not fill the memory.
#[test]
fn a_packed_catalog_is_read_piece_by_piece() {
    let packed = |text: &dyn Fn(&mut dyn std::io::Write)| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        text(&mut gzip);
        gzip.finish().unwrap()
    };
    let folder = folder();
    let read = |bytes: &[u8]| {
        std::fs::write(folder.path().join("vms"), bytes).unwrap();
        sim(folder.path(), &["prices", "vms"])
    };
    let row = |out: &mut dyn std::io::Write| writeln!(out, "{HEADER}a,H100,8,1,1,16,r1,,").unwrap();
    let padded = read(&[packed(&row), vec![0; 512]].concat());
    assert_eq!((padded.code, padded.stderr.as_str()), (0, ""));
    assert!(padded.stdout.contains("8x a "), "{}", padded.stdout);
    let endless = read(&packed(&|out| {
        row(out);
        out.write_all(&vec![b'x'; 1 << 22]).unwrap();
    }));
    let message = "error: failed to read catalog `vms`: line 3: this record is longer than 1 MiB\n";
    assert_eq!((endless.code, endless.stderr.as_str()), (2, message));
    let mut cut = packed(&row);
    cut.truncate(cut.len() - 8);
    let cut = read(&cut);
    let message = "error: failed to read catalog `vms`: line 3, character 1: expected more gzip data, found the end of the \
                   file\n";
    assert_eq!((cut.code, cut.stderr.as_str()), (2, message));
}

#[test]
fn what_is_no_catalog_is_refused() {
    let folder = folder();
    std::fs::write(folder.path().join("x.csv"), "a,b\n1,2\n").unwrap();
    let error = |ran: Ran| (ran.code, ran.stderr);
    assert_eq!(
        error(sim(folder.path(), &["prices", "x.csv"])),
        (
            2,
            "error: `x.csv` is no catalog of SkyPilot: it has no column `InstanceType`\n\
             hint: a catalog is the `vms.csv` of one cloud\n"
                .to_owned()
        )
    );
    assert_eq!(
        error(sim(folder.path(), &["prices", "none.csv"])),
        (2, "error: failed to read catalog `none.csv`: no such file or directory\n".to_owned())
    );
    assert_eq!(
        error(prices("a,H100,8,1,1,-5,r1,,\n", &[])),
        (
            2,
            "error: catalog `vms.csv`, line 2, column `Price`: expected a number from 0, found `-5`\n"
                .to_owned()
        )
    );
    assert_eq!(
        error(prices("a,H100,8,1,1,5,r1,,\n", &["--region", "mars"])),
        (2, "error: `vms.csv` has no price for what was asked\n".to_owned())
    );
}
