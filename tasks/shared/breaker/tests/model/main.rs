//! A model checker explores every interleaving of executions in small worlds: none breaks the rules.
//!
//! The worlds run the real `decide`, `repair`, `Evaluation::of`, `EvidenceQuery`, `StateWrite::items`,
//! `refusal` and `proof_key`. The model has the rest: the table, which obeys the
//! conditions of the writes; the executions, which read, decide, write and look for their own writes
//! step by step; the messages that start them; the clock, the traffic, and faults. Each mutant breaks
//! one rule, and the property named with it must detect that.
//!
//! The states explored and the time are printed with
//! `cargo test -p breaker --test model -- --nocapture --test-threads 1`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail where it stands")]

mod checked;
#[path = "../common/mod.rs"]
mod common;
mod cooldown;
mod execution;
mod moves;
mod proof;
mod properties;
mod rules;
mod scenarios;
mod table;
mod world;

use std::time::Instant;

use rules::Mutant;
use stateright::{Checker, HasDiscoveries, Model};
use world::World;

/// Explores the whole world. Every property must hold.
fn check(name: &str, world: World) {
    let begun = Instant::now();
    let checker = world.checker().threads(2).spawn_bfs().join();
    println!(
        "{name}: {} states, {} unique, depth {}, {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f64()
    );
    checker.assert_properties();
    assert!(checker.is_done());
}

/// Breaks one rule. The property must fail.
fn catch(mutant: Mutant, property: &'static str, world: World) {
    let begun = Instant::now();
    let world = World { mutant: Some(mutant), ..world };
    let caught = HasDiscoveries::AnyOf([property].into());
    let checker = world.checker().threads(2).finish_when(caught).spawn_bfs().join();
    let path = checker.assert_any_discovery(property);
    println!(
        "{mutant:?}: caught by \"{property}\" after {} states, {:.1} s: {:?}",
        checker.state_count(),
        begun.elapsed().as_secs_f64(),
        path.into_actions()
    );
}

#[test]
fn no_race_of_executions_breaks_the_rules() {
    check("races", scenarios::races());
}

#[test]
fn no_command_at_any_moment_breaks_the_rules() {
    check("operators", scenarios::operators());
}

#[test]
fn no_traffic_brings_a_recovery_before_its_cooldown_is_over() {
    check("cooldowns", scenarios::cooldowns());
}

#[test]
fn a_missing_cooldown_or_doubling_is_caught() {
    catch(Mutant::IgnoresCooldown, properties::WAITS_FOR_COOLDOWN, scenarios::cooldowns());
    catch(Mutant::NeverDoubles, properties::WAITS_FOR_COOLDOWN, scenarios::cooldowns());
}

#[test]
fn no_repair_of_a_lost_state_breaks_the_rules() {
    check("repairs", scenarios::repairs());
}

#[test]
fn fair_evaluations_follow_the_traffic() {
    check("looks", scenarios::looks());
    check("looks after many relapses", scenarios::looks_after_many_relapses());
}

#[test]
fn no_recovery_comes_without_proof() {
    check("probes", scenarios::probes());
}

#[test]
fn probes_lead_to_level_1_only_while_it_works() {
    check("looks by probes", scenarios::looks_by_probes());
}

#[test]
fn no_recovery_leads_to_a_level_that_refuses_its_probes() {
    check("refusals", scenarios::refusals());
}

#[test]
fn automation_that_only_observes_never_moves_the_level() {
    check("observing", scenarios::observing());
}

#[test]
fn a_write_guarded_by_the_level_is_caught() {
    catch(Mutant::ConditionOnLevel, properties::ONE_STATE_A_VERSION, scenarios::races());
}

#[test]
fn a_write_guarded_by_the_version_alone_is_caught() {
    catch(Mutant::ConditionOnVersionAlone, properties::ONE_STATE_A_VERSION, scenarios::repairs());
}

#[test]
fn a_write_without_conditions_is_caught() {
    catch(Mutant::BlindPut, properties::ONE_STATE_A_VERSION, scenarios::races());
    catch(Mutant::BlindPut, properties::ONE_RECORD_AN_EPOCH, scenarios::races());
}

#[test]
fn late_or_missing_records_are_caught() {
    catch(Mutant::RecordsApart, properties::ONE_RECORD_AN_EPOCH, scenarios::races());
    catch(Mutant::NoTransitionRecord, properties::ONE_RECORD_AN_EPOCH, scenarios::races());
}

#[test]
fn commands_recognised_by_version_are_caught() {
    catch(Mutant::CommandKeyedByVersion, properties::COMMAND_ONCE, scenarios::operators());
}

#[test]
fn counting_alarms_instead_of_evidence_is_caught() {
    catch(Mutant::CountsAlarms, properties::EVIDENCE_OF_THE_EPOCH, scenarios::races());
}

#[test]
fn evidence_from_before_the_epoch_or_from_a_hold_is_caught() {
    catch(Mutant::KeepsOldEvidence, properties::EVIDENCE_OF_THE_EPOCH, scenarios::operators());
    catch(Mutant::KeepsEvidenceOfHold, properties::EVIDENCE_OF_THE_EPOCH, scenarios::operators());
}

#[test]
fn ignoring_the_hold_is_caught() {
    catch(Mutant::IgnoresHold, properties::NEVER_AGAINST_A_HOLD, scenarios::operators());
}

#[test]
fn ignoring_the_expected_epoch_is_caught() {
    catch(Mutant::IgnoresExpectedEpoch, properties::EXPECTED_EPOCH, scenarios::operators());
}

#[test]
fn no_command_that_expects_a_hold_ends_another() {
    check("holds", scenarios::holds());
}

#[test]
fn ignoring_the_expected_hold_is_caught() {
    catch(Mutant::IgnoresExpectedHold, properties::EXPECTED_HOLD, scenarios::holds());
}

#[test]
fn a_fall_over_two_levels_is_caught() {
    catch(Mutant::FallsTwoLevels, properties::ONE_LEVEL_AT_A_TIME, scenarios::races());
}

#[test]
fn never_recovering_and_never_giving_up_are_caught() {
    catch(Mutant::NeverRecovers, properties::RECOVERS, scenarios::looks());
    catch(Mutant::NeverRecovers, properties::STAYS_RECOVERED, scenarios::looks());
    catch(Mutant::NeverGivesUp, properties::GIVES_UP, scenarios::looks());
}

#[test]
fn a_recovery_without_proof_is_caught() {
    catch(Mutant::RecoversByCurrentLevel, properties::EVIDENCE_OF_THE_EPOCH, scenarios::probes());
    catch(Mutant::IgnoresFailedProbes, properties::EVIDENCE_OF_THE_EPOCH, scenarios::probes());
    catch(Mutant::KeepsOldProbes, properties::EVIDENCE_OF_THE_EPOCH, scenarios::probes());
    catch(Mutant::IgnoresFailedProbes, properties::STAYS_DOWN, scenarios::looks_by_probes());
    catch(Mutant::RecoversByCurrentLevel, properties::STAYS_DOWN, scenarios::looks_by_probes());
}

#[test]
fn refusals_taken_for_silence_or_success_are_caught() {
    for mutant in [Mutant::RefusalsAreSilence, Mutant::RefusalsAreSuccesses] {
        catch(mutant, properties::EVIDENCE_OF_THE_EPOCH, scenarios::refusals());
        catch(mutant, properties::STAYS_REFUSED, scenarios::looks_by_probes());
    }
}

#[test]
fn a_ramp_that_is_left_out_or_goes_on_is_caught() {
    catch(Mutant::ForgetsRamp, properties::RAMPS, scenarios::probes());
    catch(Mutant::KeepsRamp, properties::RAMPS, scenarios::probes());
}

#[test]
fn moving_while_observing_is_caught() {
    catch(Mutant::MovesWhileObserving, properties::OBSERVES_ONLY, scenarios::observing());
}
