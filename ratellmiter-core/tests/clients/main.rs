//! Real HTTP clients against a loopback server that refuses requests as providers do.

#[cfg(feature = "async-openai")]
mod async_openai;
#[cfg(feature = "reqwest")]
#[path = "../support/broken.rs"]
mod broken;
#[cfg(all(
    feature = "async-openai",
    feature = "genai",
    feature = "reqwest-012",
    feature = "reqwest-middleware",
    feature = "rig"
))]
mod connections;
#[cfg(feature = "genai")]
mod genai;
#[cfg(feature = "reqwest")]
mod plain_reqwest;
#[cfg(all(feature = "reqwest", feature = "reqwest-012", feature = "reqwest-middleware"))]
mod reqwest;
#[cfg(feature = "rig")]
mod rig;
#[path = "../support/mod.rs"]
mod support;
