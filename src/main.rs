//! The `muster` program: a runtime and the command line.

/// Messages are read into many small values on several threads; the allocator of glibc spends a good part of their cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    muster::cli::main()
}
