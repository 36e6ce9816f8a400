use super::*;

#[ratellmiter(limiter = LIMITER)]
fn owned(server: &Server, mut prompt: String, (first, _): (u8, String)) -> Result<String, CallError> {
    prompt.push('!');
    if first > 100 {
        return Err(CallError::Failed);
    }
    server.answer()?;
    Ok(prompt)
}

#[ratellmiter(limiter = LIMITER)]
fn generic<T: Clone>(server: &Server, value: T, shown: impl Display + Clone) -> Result<(T, impl Display), CallError> {
    server.answer()?;
    Ok((value, shown))
}

#[ratellmiter(limiter = LIMITER)]
fn borrowing<'a>(server: &Server, text: &'a mut String) -> Result<&'a str, CallError> {
    text.push('x');
    server.answer()?;
    Ok("static")
}

macro_rules! made {
    ($name:ident, $answer:ty) => {
        #[ratellmiter(limiter = LIMITER)]
        fn $name(server: &Server) -> $answer {
            server.answer()
        }
    };
}
made!(by_macro, Result<u32, CallError>);

#[test]
fn refused_calls_are_retried_once() {
    assert_eq!(owned(&Server::default(), "o".into(), (1, String::new())), Ok("o!".into()));
    assert_eq!(owned(&Server::default(), "o".into(), (101, String::new())), Err(CallError::Failed));
    assert_eq!(generic(&Server::default(), 1, 2).map(|(value, shown)| (value, shown.to_string())), Ok((1, "2".into())));
    let mut text = String::new();
    assert_eq!(borrowing(&Server::default(), &mut text), Ok("static"));
    assert_eq!(text, "xx");
    assert_eq!(by_macro(&Server::default()), Ok(2));
}
