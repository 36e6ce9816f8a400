//! `async-openai` 0.43: status, type, code and message; the headers are lost, so put
//! [`observe`](crate::observe) under it where hints matter. A body that is not of its shape comes back as text.

use std::error::Error;

use ::async_openai::{error::OpenAIError, types::responses};

use crate::judge::{Evidence, ladder::Response};

pub(super) fn evidence<'a>(error: &'a (dyn Error + 'static)) -> Option<Evidence<'a>> {
    match error.downcast_ref::<OpenAIError>()? {
        OpenAIError::ApiError(response) => {
            let api = &response.api_error;
            let body = serde_json::json!({ "error": { "type": api.r#type, "code": api.code, "message": api.message } });
            let evidence = Evidence::new().status(response.status_code.as_u16());
            // Failures of 5xx have the whole body as their message.
            Some(if api.message.starts_with('{') {
                evidence.body(&*api.message)
            } else {
                evidence.body(body.to_string())
            })
        }
        OpenAIError::JSONDeserialize(_, body) => Some(Evidence::new().body(&**body)),
        // What it wraps is further down the chain, or in what the transport saw.
        OpenAIError::Reqwest(error) => Some(Evidence::new().status(error.status().map_or(0, |status| status.as_u16()))),
        _ => None,
    }
}

/// The Responses API refuses inside of a success.
impl Response for responses::Response {
    fn evidence(&self) -> Evidence<'_> {
        let success = Evidence::new().status(200);
        match &self.error {
            Some(error) => {
                let error = serde_json::json!({ "code": error.code, "type": error.r#type, "message": error.message });
                success.body(serde_json::json!({ "error": error }).to_string())
            }
            None => success,
        }
    }
}
