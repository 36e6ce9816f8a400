//! Real client crates against a server on loopback that refuses requests as providers do.

mod aws_bedrock;
#[path = "../../../ratellmiter-core/tests/support/mod.rs"]
mod support;
