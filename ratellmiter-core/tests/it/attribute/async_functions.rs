use super::*;

#[ratellmiter(limiter = LIMITER)]
async fn owned(server: &Server, prompt: String, many: Vec<u8>) -> Result<String, CallError> {
    server.answer()?;
    drop(many);
    Ok(prompt + "!")
}

#[ratellmiter(limiter = *LIMITER)]
async fn patterns(
    server: &Server,
    (first, mut second): (u32, String),
    [head, ..]: [u8; 2],
    _: u8,
    _unused: String,
    mut rest: &str,
    &shared: &u8,
) -> Result<String, CallError> {
    second.push_str(&first.to_string());
    rest = &rest[1..];
    server.answer()?;
    Ok(format!("{second}{head}{rest}{shared}"))
}

#[ratellmiter(limiter = LIMITER)]
async fn through_a_reference(
    server: &Server,
    buffer: &mut Vec<u8>,
    mut moved: &mut Vec<u8>,
) -> Result<usize, CallError> {
    buffer.push(1);
    let owned: &mut Vec<u8> = moved;
    owned.push(2);
    moved = owned;
    moved.push(3);
    server.answer()?;
    Ok(buffer.len() + moved.len())
}

#[ratellmiter(limiter = LIMITER)]
async fn generic<'a, T, const N: usize>(server: &'a Server, value: &'a T, values: [T; N]) -> Result<&'a T, CallError>
where
    T: Clone + Sync + Send,
{
    server.answer()?;
    drop(values);
    Ok(value)
}

#[ratellmiter(limiter = LIMITER)]
async fn elided(server: &Server, text: &str) -> Result<(usize, &'static str), CallError> {
    server.answer().map(|_| (text.len(), "static"))
}

#[ratellmiter(limiter = LIMITER)]
async fn borrowed(server: &Server) -> Result<&AtomicU32, CallError> {
    server.answer()?;
    Ok(&server.0)
}

#[ratellmiter(limiter = LIMITER)]
async fn with_impls(
    server: &Server,
    shown: impl Display + Clone,
    mut make: impl FnMut() -> u32 + Clone,
) -> Result<impl Display, CallError> {
    if server.answer().is_err() {
        return Err(CallError::Refused);
    }
    Ok(format!("{shown}{}", make()))
}

#[ratellmiter(limiter = LIMITER)]
async fn names_of_the_expansion(
    call: &Server,
    out: u32,
    arg0: u32,
    never: u32,
    verdict: u32,
) -> Result<u32, CallError> {
    call.answer()?;
    Ok(out + arg0 + never + verdict)
}

#[ratellmiter(limiter = LIMITER)]
async fn shadowed(server: &Server) -> Result<u32, CallError> {
    #[allow(unused)]
    #[derive(Debug)]
    struct CallError;
    server.answer()
}

#[ratellmiter(limiter = LIMITER)]
async fn with_inner_attribute(server: &Server) -> Result<u32, CallError> {
    #![allow(unused_variables)]
    let unused = 1;
    server.answer()
}

#[tokio::test(start_paused = true)]
async fn refused_calls_are_retried_once() {
    let server = Server::default();
    assert_eq!(assert_send(owned(&server, "a".into(), vec![1])).await, Ok("a!".into()));
    assert_eq!(server.requests(), 2);

    let server = Server::default();
    let text = assert_send(patterns(&server, (1, "s".into()), [7, 8], 0, String::new(), "xyz", &5)).await;
    assert_eq!(text, Ok("s17yz5".into()), "patterns are bound anew for each attempt");

    let (server, mut one, mut two) = (Server::default(), vec![], vec![]);
    assert_eq!(
        assert_send(through_a_reference(&server, &mut one, &mut two)).await,
        Ok(6),
        "changes through references persist"
    );

    let server = Server::default();
    assert_eq!(assert_send(generic(&server, &3, [1, 2])).await, Ok(&3));
    assert_eq!(server.requests(), 2);

    let server = Server::default();
    assert_eq!(assert_send(elided(&server, "abc")).await, Ok((3, "static")));
    assert_eq!(assert_send(borrowed(&Server::default())).await.unwrap().load(Ordering::SeqCst), 2);

    let (server, calls) = (Server::default(), Cell::new(0));
    let make = || {
        calls.set(calls.get() + 1);
        calls.get()
    };
    assert_eq!(with_impls(&server, 9, make).await.unwrap().to_string(), "91");

    assert_eq!(assert_send(names_of_the_expansion(&Server::default(), 1, 2, 3, 4)).await, Ok(10));
    assert_eq!(assert_send(shadowed(&Server::default())).await, Ok(2));
    assert_eq!(assert_send(with_inner_attribute(&Server::default())).await, Ok(2));
}
