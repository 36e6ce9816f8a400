//! Times of the connection to the server.

use std::time::Duration;

/// Time after which a server that does not reply counts as unreachable.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Time between attempts to reach an unreachable server.
pub(super) const RECONNECT_INTERVAL: Duration = Duration::from_millis(500);
