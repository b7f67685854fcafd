//! The `sim` binary: parse, run, print, exit code. Absent on purpose: logic.
#![expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock, for --timings, and the SIM_* variables"
)]

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::CommandFactory as _;
use fairshare_sim::cli::{Cli, Command};
use fairshare_sim::command::{self, Output, World};
use fairshare_sim::{ExitCode, SimError};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whether anybody has asked for the flag above; until then it would stop nothing.
static ASKED: AtomicBool = AtomicBool::new(false);
/// Whether one of the two threads has begun to end the process and says how it went: the other leaves it to that.
static ENDS: AtomicBool = AtomicBool::new(false);

fn main() -> process::ExitCode {
    std::panic::set_hook(Box::new(panicked));
    let cli = match Cli::of_process() {
        Ok(cli) => cli,
        Err(asked) => return told(&asked),
    };
    let begun = Instant::now();
    // Without a handler an interrupt ends the process at once, which is acceptable.
    let _ = ctrlc::set_handler(interrupt);
    let arrived = Arc::new(AtomicBool::new(false));
    // The handler above runs in a thread, which the end of a pipe that the same interrupt closed can outrun.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&arrived));
    let mut variables: Vec<(String, String)> =
        std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with("SIM_")).collect();
    variables.sort();
    let world = World {
        argv: std::env::args().skip(1).collect(),
        variables,
        interrupted: &|| {
            ASKED.store(true, Ordering::Relaxed);
            arrived.load(Ordering::Relaxed) || INTERRUPTED.load(Ordering::Relaxed)
        },
        clock: &|| begun.elapsed(),
        watched: std::io::stderr().is_terminal() && !cli.talk.quiet,
        verbose: cli.talk.verbose,
    };
    // What is done again is done with the variables of then.
    let again = matches!(cli.command, Command::Report(_) | Command::Replay(_) | Command::Explain(_));
    let unused = if again { Ok(Vec::new()) } else { command::settings::unused(&world) };
    let done = unused.and_then(|notes| {
        let mut output = dispatch(&cli, &world)?;
        output.notes.splice(0..0, notes);
        Ok(output)
    });
    while ENDS.swap(true, Ordering::Relaxed) {
        std::thread::park();
    }
    let exit = match done {
        Ok(output) => print(&output.at_end(arrived.load(Ordering::Relaxed)), cli.talk.quiet),
        Err(error) => {
            say(&error.message());
            error.exit_code()
        }
    };
    process::ExitCode::from(exit.code())
}

/// Says something on standard error. Where that cannot be written to, nobody is there to be told, and the exit code says it.
fn say(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints the help that was asked for, or what is wrong with the arguments.
fn told(asked: &clap::Error) -> process::ExitCode {
    match asked.print().and_then(|()| std::io::stdout().flush()) {
        Err(error) if !asked.use_stderr() && error.kind() != std::io::ErrorKind::BrokenPipe => {
            let error = SimError::Write { path: "standard output".to_owned(), source: error };
            say(&error.message());
            process::ExitCode::from(error.exit_code().code())
        }
        _ => process::ExitCode::from(u8::try_from(asked.exit_code()).unwrap_or(2)),
    }
}

/// A variable, unless it is no text: others may set what they like.
fn text((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// A panic is a bug of this program, unless a library met a damaged file.
fn panicked(panic: &std::panic::PanicHookInfo<'_>) {
    let exit = if let Some(path) = fairshare_sim::trace::panicked_on() {
        say(&format!("error: failed to read trace `{path}`\nthe Parquet data is damaged"));
        say("hint: the file was cut off or changed on its way: fetch it again");
        ExitCode::Usage
    } else {
        say(&format!("error: a bug of this program: {panic}"));
        say("hint: please report it, with the command and what it was given");
        ExitCode::Bug
    };
    process::exit(i32::from(exit.code()));
}

/// A replay is asked to stop and to leave what it has. Whatever does not ask, such as waiting for standard input, ends
/// at once, and so does everything at the second interrupt.
fn interrupt() {
    let again = INTERRUPTED.swap(true, Ordering::Relaxed);
    let ends = || !ASKED.load(Ordering::Relaxed) && !ENDS.swap(true, Ordering::Relaxed);
    if again || ends() {
        fairshare_sim::whole::abandon();
        say("interrupted: there is no result");
        process::exit(i32::from(ExitCode::Interrupted.code()));
    }
}

fn dispatch(cli: &Cli, world: &World<'_>) -> Result<Output, SimError> {
    match &cli.command {
        Command::Demo(arguments) => command::demo::demo(arguments, world),
        Command::Run(arguments) => command::run::run(arguments, world),
        Command::Trace(command) => command::trace::trace(command, world, &mut std::io::stdout().lock()),
        Command::Compare(arguments) => command::compare::compare(arguments, world),
        Command::Decide(arguments) => command::decide::decide(arguments, world),
        Command::Kueue(command) => command::kueue::kueue(command, world),
        Command::Shares(arguments) => command::shares::shares(arguments, world),
        Command::Report(arguments) => command::report::report(arguments, world),
        Command::Replay(arguments) => command::replay::replay(arguments, world),
        Command::Diff(arguments) => command::diff::diff(arguments, world),
        Command::Explain(arguments) => command::explain::explain(arguments, world),
        Command::Prices(arguments) => command::prices::prices(arguments),
        Command::Init => Ok(command::init::init()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "sim", &mut script);
            Ok(Output::new(String::from_utf8_lossy(&script).into_owned()))
        }
    }
}

/// Prints, and says how to end: a reader that went away is no failure, a full disk is.
fn print(output: &Output, quiet: bool) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let printed = stdout.write_all(output.result.as_bytes()).and_then(|()| stdout.flush());
    if !quiet {
        for note in &output.notes {
            say(note);
        }
    }
    for failure in &output.failures {
        say(failure);
    }
    match printed {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let error = SimError::Write { path: "standard output".to_owned(), source: error };
            say(&error.message());
            error.exit_code()
        }
        _ => output.exit,
    }
}
