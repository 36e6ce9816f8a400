use redis::parse_redis_value;

use super::*;

/// Returns the client's error for an error reply.
fn error(reply: &str) -> RedisError {
    parse_redis_value(format!("-{reply}\r\n").as_bytes()).unwrap().extract_error().unwrap_err()
}

#[test]
fn replies_of_unready_servers_count_as_lost() {
    for (reply, is_lost_reply) in [
        ("READONLY You can't write against a read only replica. script: 40f0, on @user_script:146.", true),
        ("LOADING Redis is loading the dataset in memory", true),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", true),
        ("CLUSTERDOWN Hash slot not served", true),
        ("NOREPLICAS Not enough good replicas to write. script: 40f0, on @user_script:146.", true),
        ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", true),
        ("OOM command not allowed when used memory > 'maxmemory'. script: 40f0, on @user_script:146.", false),
        ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", false),
        ("NOPERM this user has no permissions to run the 'eval' command", false),
        ("NOAUTH Authentication required.", false),
        ("ERR DB index is out of range", false),
    ] {
        assert_eq!(is_lost(&error(reply)), is_lost_reply, "{reply}");
        let text = describe(&error(reply), "key");
        assert!(reply.starts_with(&text) && text.len() > 20, "{text}");
    }
}

/// Replies of version 6.2.
#[test]
fn replies_wrapped_by_a_script_are_unwrapped() {
    let wrapped = |reply: &str| error(&format!("ERR Error running script (call to f_40f0): @user_script:146: {reply}"));
    let replica = wrapped("@user_script: 146: -READONLY You can't write against a read only replica.");
    assert!(is_lost(&replica));
    assert_eq!(describe(&replica, "key"), "READONLY You can't write against a read only replica.");
    let full = wrapped("@user_script: 146: -OOM command not allowed when used memory > 'maxmemory'.");
    assert!(!is_lost(&full));
    assert_eq!(describe(&full, "key"), "OOM command not allowed when used memory > 'maxmemory'.");
}

/// Replies of versions 6.2 and 7.0, and of Valkey 9.1.
#[test]
fn only_unreadable_keys_are_reported_as_such() {
    let before = "ERR Error running script (call to f_40f0):";
    for (reply, is_unreadable) in [
        (format!("{before} @user_script:54: user_script:54: Bad data format in input."), true),
        (format!("{before} @user_script:54: WRONGTYPE Operation against a key holding the wrong kind of value"), true),
        (format!("{before} @user_script:146: @user_script: 146: The user executing the script can't run this"), false),
        ("ERR user_script:54: Bad data format in input. script: 40f0, on @user_script:54.".to_owned(), true),
        ("WRONGTYPE Operation against a key script: 40f0, on @user_script:54.".to_owned(), true),
        (
            "ERR The user executing the script can't run this command script: 40f0, on @user_script:146.".to_owned(),
            false,
        ),
        ("ERR ACL failure in script: User w has no permissions script: on @user_script:1.".to_owned(), false),
        ("ERR key was written by another version of ratellmiter".to_owned(), false),
    ] {
        let text = describe(&error(&reply), "key");
        assert_eq!(text.contains("value of key is damaged"), is_unreadable, "{text}");
        assert!(is_unreadable || text.starts_with("ERR "), "{text}");
        assert!(!is_lost(&error(&reply)), "{reply}");
    }
}
