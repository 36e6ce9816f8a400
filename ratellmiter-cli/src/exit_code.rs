//! The exit codes of the command.

/// Success; for pictures: the picture was written.
pub const DONE: u8 = 0;
/// The command failed, with a one-line reason on stderr.
pub const FAILED: u8 = 1;
/// The arguments are invalid.
pub const USAGE: u8 = 2;
/// A condition of `-check` does not hold.
pub const BROKEN: u8 = 3;
