use super::*;

const MINUTE: i64 = 60_000;

fn signed_in() -> Grants {
    let mut grants = Grants::default();
    let code = Code {
        subject: "ada".into(),
        redirect_uri: "r".into(),
        challenge: "c".into(),
        scopes: vec![],
        expires_at: MINUTE,
        with_refresh: true,
        used_by: None,
    };
    grants.add_code("code".into(), code);
    let (family, _) = grants.use_code("code", "r", "c", 0).expect("exchanged");
    grants.add_refresh("first".into(), family);
    grants
}

fn use_twice(rotation: Rotation, after: i64) -> Result<Renewal, Refused> {
    let mut grants = signed_in();
    grants.use_refresh("first", rotation, MINUTE, 0).expect("the first use");
    grants.use_refresh("first", rotation, MINUTE, after)
}

#[test]
fn each_rotation_handles_a_reused_refresh_token() {
    assert!(use_twice(Rotation::None, 9 * MINUTE).is_ok());
    assert!(use_twice(Rotation::Rotate, 1).is_err());
    assert!(use_twice(Rotation::Grace, MINUTE - 1).is_ok());
    assert!(use_twice(Rotation::Grace, MINUTE).is_err());
    assert!(use_twice(Rotation::Strict, 1).is_err());
}

#[test]
fn strict_rotation_revokes_the_sign_in_on_reuse() {
    let mut grants = signed_in();
    let renewed = grants.use_refresh("first", Rotation::Strict, MINUTE, 0).expect("the first use");
    grants.add_refresh("second".into(), renewed.family);
    grants.use_refresh("first", Rotation::Strict, MINUTE, 1).expect_err("reuse");
    grants.use_refresh("second", Rotation::Strict, MINUTE, 2).expect_err("its family is revoked");
}

#[test]
fn a_replayed_code_revokes_its_tokens() {
    let mut grants = signed_in();
    grants.use_code("code", "r", "c", 1).expect_err("replayed");
    grants.use_refresh("first", Rotation::None, MINUTE, 2).expect_err("revoked");
}

#[test]
fn a_code_is_bound_to_its_request_and_expires_after_a_minute() {
    for (redirect, challenge, now) in [("other", "c", 0), ("r", "other", 0), ("r", "c", MINUTE)] {
        let mut grants = Grants::default();
        let code = Code {
            subject: "ada".into(),
            redirect_uri: "r".into(),
            challenge: "c".into(),
            scopes: vec![],
            expires_at: MINUTE,
            with_refresh: true,
            used_by: None,
        };
        grants.add_code("code".into(), code);
        grants.use_code("code", redirect, challenge, now).expect_err("refused");
    }
}

#[test]
fn expiring_access_tokens_keeps_sign_ins() {
    let mut grants = signed_in();
    let token = AccessToken { family: Some(1), subject: "ada".into(), expires_at: 9 * MINUTE };
    grants.add_access("access".into(), token, 0);
    assert_eq!(grants.subject_of("access", 1).as_deref(), Some("ada"));
    grants.expire_all(None, 1);
    assert_eq!(grants.subject_of("access", 1), None);
    grants.use_refresh("first", Rotation::None, MINUTE, 1).expect("the sign-in is valid");
}

#[test]
fn revoking_ends_clients_and_their_tokens() {
    let client = || {
        let mut grants = signed_in();
        grants.add_client("secret".into(), "service".into());
        let token = AccessToken { family: None, subject: "service".into(), expires_at: MINUTE };
        grants.add_access("access".into(), token, 0);
        grants
    };
    for (subject, revoked, is_valid) in [(None, 2, false), (Some("service"), 1, false), (Some("ada"), 1, true)] {
        let mut grants = client();
        assert_eq!(grants.revoke_all(subject), revoked, "{subject:?}");
        assert_eq!(grants.knows_client("service", "secret"), is_valid, "{subject:?}");
        assert_eq!(grants.subject_of("access", 1).is_some(), is_valid, "{subject:?}");
    }
}

#[test]
fn revoking_one_person_keeps_the_other() {
    let mut grants = signed_in();
    grants.add_api_key("key".into(), "grace".into());
    assert_eq!(grants.revoke_all(Some("ada")), 1);
    assert_eq!(grants.subject_of("key", 0).as_deref(), Some("grace"));
    grants.use_refresh("first", Rotation::None, MINUTE, 1).expect_err("revoked");
}
