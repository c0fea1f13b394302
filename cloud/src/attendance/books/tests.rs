//! The books on both databases, without a box in front of them.

use hadir_shared::{
    ids::{EventId, InstitutionId, UserId},
    rules::status::{Direction, Schedule},
    time::{Grade, Millis, Zone},
    wire::batch::Reason,
};

use super::{Candidate, Outcome, project};
use crate::{
    db::Cloud,
    identity::seed,
    testing::{START, TestApp},
};

fn candidate(t: &TestApp, user: UserId, direction: Direction, trusted: Millis) -> Candidate {
    Candidate {
        event: EventId(t.app.ids.uuid(trusted)),
        user,
        direction,
        claimed: trusted,
        trusted,
        grade: Grade::Anchored,
        position: None,
        fence: None,
        photo_path: None,
        token: "1".into(),
        class: None,
        schedule: Schedule {
            version: 1,
            zone: Zone::JAKARTA,
            checkin_end: "07:30:00".parse().unwrap(),
            late_grace_minutes: 0,
            checkout_start: "14:00:00".parse().unwrap(),
        },
        device: None,
        gate: Some("Gerbang \"1\" — depan".into()),
        operator: None,
    }
}

async fn enter(t: &TestApp, school: InstitutionId, candidates: &[Candidate]) -> Vec<Outcome> {
    let mut tx = t.app.db.write(Cloud).await.unwrap();
    let outcomes = project(&mut tx, school, candidates, t.app.now()).await.unwrap();
    tx.commit().await.unwrap();
    outcomes
}

#[tokio::test]
async fn every_candidate_has_its_outcome_within_a_call_and_across_calls() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let other = t.institution("B").await;
        let (student, admin) =
            (t.user(school, "1", seed::STUDENT).await, t.user(school, "2", seed::ADMIN).await);
        let stranger = t.user(other, "3", seed::STUDENT).await;
        let late = START.plus_seconds(3600);
        let candidates = [
            candidate(&t, student, Direction::CheckIn, START),
            candidate(&t, student, Direction::CheckIn, START.plus_seconds(5)),
            candidate(&t, student, Direction::CheckIn, late),
            candidate(&t, stranger, Direction::CheckIn, START),
            candidate(&t, admin, Direction::CheckIn, START),
            candidate(&t, student, Direction::CheckOut, START.plus_seconds(8 * 3600)),
        ];
        let outcomes = enter(&t, school, &candidates).await;
        let [Outcome::Stored { attendance_id: came }, .., Outcome::Stored { attendance_id: left }] =
            outcomes[..]
        else {
            panic!("{} {outcomes:?}", t.on)
        };
        let expected = [
            Outcome::Stored { attendance_id: came },
            Outcome::Duplicate { attendance_id: came },
            Outcome::Conflict,
            Outcome::Refused(Reason::UnknownPerson),
            Outcome::Refused(Reason::RoleNotAllowed),
            Outcome::Stored { attendance_id: left },
        ];
        assert_eq!(outcomes, expected, "{}", t.on);
        let again = enter(&t, school, &candidates[..3]).await;
        let duplicate = Outcome::Duplicate { attendance_id: came };
        assert_eq!(again, [duplicate, duplicate, Outcome::Conflict], "{}", t.on);
        assert_eq!(enter(&t, school, &[]).await, []);
    })
    .await;
}

#[tokio::test]
async fn of_two_who_enter_the_same_people_at_once_one_wins_each_key_and_the_other_is_told() {
    TestApp::both(async |t| {
        let school = t.institution("A").await;
        let mut students = Vec::new();
        for number in 0..20 {
            students.push(t.user(school, &format!("s{number}"), seed::STUDENT).await);
        }
        for day in 0..10 {
            let at = START.plus_seconds(day * 24 * 3600);
            t.clock.set(at);
            let box_of = |students: Vec<UserId>| {
                let candidates: Vec<_> =
                    students.into_iter().map(|user| candidate(&t, user, Direction::CheckIn, at)).collect();
                let t = t.clone();
                tokio::spawn(async move { enter(&t, school, &candidates).await })
            };
            let reversed = students.iter().rev().copied().collect();
            let (first, second) = (box_of(students.clone()), box_of(reversed));
            let (first, second) = (first.await.unwrap(), second.await.unwrap());
            for (a, b) in first.iter().zip(second.iter().rev()) {
                let ids = match (a, b) {
                    (Outcome::Stored { attendance_id: a }, Outcome::Duplicate { attendance_id: b })
                    | (Outcome::Duplicate { attendance_id: a }, Outcome::Stored { attendance_id: b }) => {
                        (a, b)
                    }
                    other => panic!("{} {other:?}", t.on),
                };
                assert_eq!(ids.0, ids.1, "{}", t.on);
            }
        }
    })
    .await;
}
