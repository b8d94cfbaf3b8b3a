//! The `muster` program: a runtime and the command line.

fn main() -> std::process::ExitCode {
    muster::cli::main()
}
