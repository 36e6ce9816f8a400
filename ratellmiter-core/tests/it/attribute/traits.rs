use super::*;

trait Ask {
    fn server(&self) -> &Server;

    #[ratellmiter(limiter = LIMITER)]
    async fn by_default(&self, text: String) -> Result<String, CallError> {
        self.server().answer()?;
        Ok(text)
    }

    async fn ask(&self, times: u32) -> Result<u32, CallError>;
}

impl Ask for Server {
    fn server(&self) -> &Server {
        self
    }

    #[ratellmiter(limiter = LIMITER)]
    async fn ask(&self, times: u32) -> Result<u32, CallError> {
        Ok(self.answer()? * times)
    }
}

#[async_trait::async_trait]
trait Boxed: Sync {
    async fn ask(&self, prompt: String, buffer: &mut Vec<u8>) -> Result<String, CallError>;
    async fn length(&self, _name: &str) -> u32 {
        7
    }
}

#[async_trait::async_trait]
impl Boxed for Server {
    #[ratellmiter(limiter = LIMITER)]
    async fn ask(&self, prompt: String, buffer: &mut Vec<u8>) -> Result<String, CallError> {
        buffer.push(1);
        if self.requests() > 5 {
            return Ok(String::new());
        }
        self.answer()?;
        Ok(prompt)
    }

    #[ratellmiter(limiter = LIMITER)]
    async fn length(&self, name: &str) -> u32 {
        u32::try_from(name.len()).unwrap_or_default()
    }
}

#[tokio::test(start_paused = true)]
async fn refused_calls_are_retried_once() {
    assert_eq!(Server::default().by_default("t".into()).await, Ok("t".into()));
    assert_eq!(Ask::ask(&Server::default(), 3).await, Ok(6));
    let (server, mut buffer) = (Server::default(), vec![]);
    assert_eq!(assert_send(Boxed::ask(&server, "p".into(), &mut buffer)).await, Ok("p".into()));
    assert_eq!((server.requests(), buffer.len()), (2, 2));
    assert_eq!(assert_send(server.length("four")).await, 4);
}
