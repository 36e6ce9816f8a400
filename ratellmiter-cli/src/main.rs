//! The `ratellmiter` command. See the library of this crate.

use std::{
    env,
    io::{self, Write as _},
    process::ExitCode,
};

fn main() -> ExitCode {
    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr().lock());
    let code = ratellmiter_cli::run(env::args_os(), &mut stdout, &mut stderr);
    let _ = stdout.flush();
    ExitCode::from(code)
}
