use super::*;
use crate::settings::Role;

#[test]
fn nobodys_hash_is_one_and_as_costly_as_ours() {
    let hash = PasswordHash::new(NOBODY).unwrap();
    let params = argon2::Params::try_from(&hash).unwrap();
    assert_eq!(params.m_cost(), argon2::Params::DEFAULT_M_COST);
    assert_eq!(params.t_cost(), argon2::Params::DEFAULT_T_COST);
    assert!(Argon2::default().verify_password(b"", &hash).is_err());
}

#[tokio::test]
async fn a_password_lets_its_user_in_and_nobody_else() {
    use argon2::password_hash::PasswordHasher;
    let folder = tempfile::tempdir().unwrap();
    let (token, _) = Token::open(folder.path()).unwrap();
    let cheap = argon2::Params::new(8, 1, 1, None).unwrap();
    let hasher = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, cheap);
    let hash = hasher.hash_password(b"correct horse").unwrap().to_string();
    let jane = User { name: "jane".to_owned(), role: Role::Editor, hash };
    let login = Login::new(vec![jane]);
    let from = IpAddr::from([127, 0, 0, 1]);
    let enter = async |user: &str, password: &str| {
        let (user, password) = (user.to_owned(), password.to_owned());
        login.enter(Credentials::Password { user, password }, &token, from).await
    };
    let jane = Identity { name: "jane".into(), role: Role::Editor };
    assert_eq!(enter("jane", "correct horse").await, Ok(jane));
    for (user, password) in
        [("jane", "Correct horse"), ("jane", ""), ("bob", "correct horse"), ("", "")]
    {
        assert_eq!(enter(user, password).await, Err(Rejected::Unknown), "{user} {password}");
    }
    let long = "x".repeat(PASSWORD_BYTES_MAX + 1);
    assert_eq!(enter("jane", &long).await, Err(Rejected::Unknown));
    let token_of = |text: &str| Credentials::Token(text.to_owned());
    assert_eq!(login.enter(token_of("no"), &token, from).await, Err(Rejected::Unknown));
}
