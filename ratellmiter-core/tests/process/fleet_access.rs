//! Shared limiters whose server requires TLS or a password.

use std::{fs, path::Path, thread::sleep, time::Duration};

use crate::{
    fleet_faults::{SECOND, finish, finish_all, job, losses, now, wait_for_loss, wait_for_members, wait_for_return},
    redis::{Redis, free_port},
    worker::Worker,
};

/// Writes the certificate of a new authority, and a certificate for 127.0.0.1 with its key. Returns their paths.
fn certificates(directory: &Path) -> [String; 3] {
    let mut authority = rcgen::CertificateParams::new([]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(authority, key);
    let server_key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let server = params.signed_by(&server_key, &issuer).unwrap();
    [("ca.pem", certificate.pem()), ("server.pem", server.pem()), ("server.key", server_key.serialize_pem())].map(
        |(name, text)| {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        },
    )
}

#[test]
fn connection_is_encrypted_and_warnings_omit_the_password() {
    let directory = tempfile::tempdir().unwrap();
    let [authority, certificate, key] = certificates(directory.path());
    let port = free_port();
    let encrypted = port.to_string();
    #[rustfmt::skip]
    let _redis = Redis::start_on("redis-server", port, &[
        "--port", "0", "--tls-port", &encrypted, "--tls-cert-file", &certificate, "--tls-key-file", &key,
        "--tls-ca-cert-file", &authority, "--tls-auth-clients", "no", "--requirepass", "hunter2",
    ]);
    let trusted = [("SSL_CERT_FILE", Path::new(&authority))];
    let url = |password| format!("rediss://:{password}@127.0.0.1:{port}/");
    let mut workers: Vec<_> = (0..2).map(|_| Worker::start_with(&job(url("hunter2"), 30), &trusted)).collect();
    wait_for_members(&workers, 2);
    let mut wrong = Worker::start_with(&job(url("swordfish"), 20), &trusted);
    // Does not trust the authority.
    let mut untrusting = Worker::start(&job(url("hunter2"), 20));
    finish_all(&mut workers, 30);
    finish(&mut wrong, 20);
    finish(&mut untrusting, 20);
    for worker in &workers {
        assert_eq!(worker.warnings(), [""; 0]);
    }
    for worker in [&wrong, &untrusting] {
        let warnings = worker.warnings();
        eprintln!("{warnings:?}");
        assert_eq!((warnings.len(), losses(worker)), (1, 1));
        assert!(warnings[0].contains(&format!("127.0.0.1:{port}")), "{warnings:?}");
        assert!(!warnings[0].contains("swordfish") && !warnings[0].contains("hunter2"));
    }
    assert!(wrong.warnings()[0].contains("it rejects the user name or the password"), "{:?}", wrong.warnings());
}

#[test]
fn warning_about_a_server_without_tls_mentions_tls() {
    let redis = Redis::start();
    let mut worker = Worker::start(&job(format!("rediss://127.0.0.1:{}", redis.port), 20));
    finish(&mut worker, 20);
    let warnings = worker.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("the connection uses TLS"), "{warnings:?}");
}

#[test]
fn corrected_password_is_accepted_at_once() {
    let redis = Redis::with_arguments("redis-server", &["--requirepass", "hunter2"]);
    let url = format!("redis://:swordfish@127.0.0.1:{}", redis.port);
    let mut worker = Worker::start(&job(url, 80));
    wait_for_loss(&worker, Duration::ZERO);
    sleep(SECOND);
    let replies = redis.command("AUTH hunter2\r\nCONFIG SET requirepass swordfish");
    assert_eq!(replies.matches("+OK").count(), 2, "{replies}");
    let back = wait_for_return(&worker, now());
    finish(&mut worker, 80);
    eprintln!("shared {back:?} after");
    assert_eq!(losses(&worker), 1, "{:?}", worker.warnings());
}
