//! A save and a crash at the same time: what is on disk is the old file or the new one, and the
//! history agrees with what was answered.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sumun_tests::{Client, Sumun, Upstream};
use tokio::sync::Mutex;

use crate::policies;

/// Crashes in the test.
const ROUNDS: usize = 32;

/// Longest time from the first save of a round to its crash: some saves of a debug build.
const LIFE_MAX: Duration = Duration::from_millis(60);

/// What was sent, and which revision was answered for it; `None`: nothing was.
#[derive(Default)]
struct Saves(Vec<(String, Option<u64>)>);

/// Saves one text after the other until the gateway is gone.
async fn save(
    address: SocketAddr,
    token: String,
    text: impl Fn(usize) -> String,
    saves: Arc<Mutex<Saves>>,
) {
    let Ok(mut client) = Client::try_connect(address).await else { return };
    loop {
        let body = {
            let mut saves = saves.lock().await;
            let body = text(saves.0.len());
            saves.0.push((body.clone(), None));
            body
        };
        let head = format!(
            "PUT /api/v1/policies/policy.yaml HTTP/1.1\r\nhost: {address}\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/yaml\r\nif-match: *\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        if client.try_send(head + &body).await.is_err() {
            return;
        }
        let Ok(answer) = client.response().await else { return };
        assert_eq!(answer.status, 200, "{answer}");
        let revision = answer.json()["revision"].as_u64().expect("a revision");
        saves.lock().await.0.last_mut().expect("sent").1 = Some(revision);
    }
}

#[tokio::test]
async fn a_crash_during_a_save_leaves_the_old_file_or_the_new_one() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let upstream = Upstream::plain().await;
    let policy = policies::to(&upstream.url());
    // Long enough that a file cut short would be seen as such.
    let filling = "# a line that only makes the file longer\n".repeat(2_000);
    let text = move |number: usize| format!("# save {number}\n{policy}{filling}# the end\n");
    let mut sumun = Sumun::start(&text(0)).await;
    let saves = Arc::new(Mutex::new(Saves(vec![(text(0), Some(1))])));
    let (mut in_flight, mut kept, mut on_disk) = (0, 0, 0);
    for round in 0..ROUNDS {
        let saving = save(sumun.admin_address(), sumun.token(), text.clone(), Arc::clone(&saves));
        let saving = tokio::spawn(saving);
        tokio::time::sleep(LIFE_MAX.mul_f64(random.f64())).await; // the moment of the crash
        sumun.kill_and_restart().await;
        saving.await.expect("every answer was 200");
        assert!(aside(&sumun).is_empty(), "round {round}: {:?}", aside(&sumun));

        let mut saves = saves.lock().await;
        let file = fs::read_to_string(sumun.policies().join("policy.yaml")).expect("a file");
        let last_answered = saves.0.iter().rposition(|(_, revision)| revision.is_some());
        // Old is what was answered last, or what the crash before this one had left.
        let old = last_answered.expect("the first is").max(on_disk);
        let allowed = &saves.0[old..];
        assert!(allowed.len() <= 2, "one is in flight at most");
        let found = allowed.iter().position(|(sent, _)| *sent == file);
        let found = found.unwrap_or_else(|| {
            panic!("round {round}: neither the old nor the new: {} bytes", file.len())
        });
        in_flight += allowed.len() - 1;
        kept += found;
        on_disk = old + found;
        // What did not get there never was.
        saves.0.truncate(on_disk + 1);
        history_agrees(&sumun, &saves, &file).await;
    }
    println!("{on_disk} saves made, {in_flight} cut off, {kept} of them on disk");
    assert!(in_flight >= ROUNDS / 4, "{in_flight}: the crashes missed the saves");
}

/// Files that were being written, in all folders that the gateway writes to.
fn aside(sumun: &Sumun) -> Vec<String> {
    [sumun.policies(), sumun.state(), sumun.state().join("history")]
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"))
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "new"))
        .map(|entry| entry.file_name().into_string().expect("a name"))
        .collect()
}

#[tokio::test]
async fn what_a_crash_left_is_gone_after_the_next_start_and_nothing_else() {
    let upstream = Upstream::plain().await;
    let mut sumun = Sumun::start(&policies::to(&upstream.url())).await;
    let gone = sumun.pid();
    let living = std::process::id();
    let plant = |folder: std::path::PathBuf, names: &[String]| {
        for name in names {
            fs::write(folder.join(name), "half a te").expect("written");
        }
    };
    plant(sumun.state(), &[format!(".reverts.json.{gone}.new")]);
    plant(sumun.state().join("history"), &[format!(".7.json.{gone}.new")]);
    let kept = [format!(".policy.yaml.{living}.new"), format!(".notes.txt.{gone}.new")];
    plant(sumun.policies(), &kept);
    plant(sumun.policies(), &[format!(".policy.yaml.{gone}.new")]);
    sumun.kill_and_restart().await;
    let mut left = aside(&sumun);
    left.sort();
    let mut kept = kept.to_vec();
    kept.sort();
    assert_eq!(left, kept);
    assert!(sumun.policies().join("policy.yaml").exists());
}

/// The newest revision is what is on disk, and each save that was answered is the revision that the
/// answer said, as far as they are kept.
async fn history_agrees(sumun: &Sumun, saves: &Saves, file: &str) {
    let list = sumun.admin_get("/api/v1/policies").await;
    assert_eq!(list["ok"], true, "{list}");
    let revisions = sumun.admin_get("/api/v1/revisions?limit=5").await;
    let ids: Vec<u64> = revisions["revisions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|revision| revision["id"].as_u64().expect("an id"))
        .collect();
    assert_eq!(list["revision"], ids[0]);
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1] + 1), "a gap: {ids:?}");
    for (index, id) in ids.iter().enumerate() {
        let revision = sumun.admin_get(&format!("/api/v1/revisions/{id}")).await;
        let held = revision["files"]["policy.yaml"].as_str().expect("a text");
        assert!(index > 0 || held == file, "revision {id} is not what is on disk");
        let answered = saves.0.iter().rfind(|(_, revision)| *revision == Some(*id));
        assert!(answered.is_none_or(|(sent, _)| sent == held), "revision {id} is another");
    }
}
