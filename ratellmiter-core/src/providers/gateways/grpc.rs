//! gRPC: its libraries refuse a message that is too large with the code of a rate limit: github.com/grpc/grpc-go, `rpc_util.go`,
//! and github.com/grpc/grpc, `message_size_filter.cc`, 2026-11.

use crate::providers::{
    error_signs::{Meaning, Sign},
    response_format::ResponseFormat,
};

pub(super) const FORMAT: ResponseFormat = ResponseFormat {
    errors: &[
        (Sign::Phrase("message larger than max"), Meaning::ThisRequest),
        (Sign::Phrase("message exceeds maximum size"), Meaning::ThisRequest),
    ],
    ..ResponseFormat::NONE
};
