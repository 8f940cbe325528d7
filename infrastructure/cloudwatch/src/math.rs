//! Parses the metric math of the level alarms and computes it period by period.
//!
//! An unsupported function or operator is refused by name. An operation with a missing operand has no result. AWS
//! documents 0 for some operations, and reports of the real behaviour contradict each other, so an expression without
//! `FILL` must not work here.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use winnow::ascii::{digit1, multispace0};
use winnow::combinator::{Infix, alt, delimited, expression, opt, preceded, separated};
use winnow::error::{ContextError, ParserError};
use winnow::prelude::Parser;
use winnow::token::take_while;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Formula {
    /// A number.
    Number(f64),
    /// A metric, by its identifier.
    Metric(String),
    /// An operator between two operands.
    Operation(Box<Self>, Operator, Box<Self>),
    /// A function with its arguments.
    Call(Function, Vec<Self>),
}

/// An operator. Comparisons and logical operators return 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    AtLeast,
    Above,
    AtMost,
    Below,
    Equal,
    Unequal,
    And,
    Or,
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Returns the first argument, or the second if the first is missing.
    Fill,
    /// Returns the second argument if the first is not 0, else the third.
    If,
}

impl Formula {
    /// Reads the text of an expression.
    ///
    /// # Errors
    /// Names the part that the stand-in does not support.
    pub fn parse(text: &str) -> Result<Self> {
        let raw = formula.parse(text).map_err(|parsed| {
            let rest = text.get(parsed.offset()..).unwrap_or_default();
            anyhow!("metric math is not understood from `{rest}` on: {text}")
        })?;
        raw.checked().map_err(|problem| anyhow!("{problem}: {text}"))
    }

    /// Returns the value of one period. `value` returns a metric's value in that period.
    pub fn value(&self, value: &impl Fn(&str) -> Option<f64>) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Metric(id) => value(id),
            Self::Operation(left, operator, right) => Some(operator.apply(left.value(value)?, right.value(value)?)),
            Self::Call(function, arguments) => match (function, arguments.as_slice()) {
                (Function::Fill, [series, filler]) => series.value(value).or_else(|| filler.value(value)),
                (Function::If, [condition, yes, no]) => {
                    if condition.value(value)? == 0.0 {
                        no.value(value)
                    } else {
                        yes.value(value)
                    }
                }
                _ => None,
            },
        }
    }

    /// Returns the identifiers of the metrics that the expression reads.
    #[must_use]
    pub fn metrics(&self) -> BTreeSet<&str> {
        match self {
            Self::Number(_) => BTreeSet::new(),
            Self::Metric(id) => BTreeSet::from([id.as_str()]),
            Self::Operation(left, _, right) => left.metrics().union(&right.metrics()).copied().collect(),
            Self::Call(_, arguments) => arguments.iter().flat_map(Self::metrics).collect(),
        }
    }
}

impl Operator {
    fn apply(self, left: f64, right: f64) -> f64 {
        let truth = |holds: bool| f64::from(u8::from(holds));
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::AtLeast => truth(left >= right),
            Self::Above => truth(left > right),
            Self::AtMost => truth(left <= right),
            Self::Below => truth(left < right),
            Self::Equal => truth((left - right).abs() < f64::EPSILON),
            Self::Unequal => truth((left - right).abs() >= f64::EPSILON),
            Self::And => truth(left != 0.0 && right != 0.0),
            Self::Or => truth(left != 0.0 || right != 0.0),
        }
    }
}

/// A parsed expression whose names are not yet checked: functions may be unknown.
#[derive(Clone, Debug)]
enum Raw {
    Number(f64),
    Metric(String),
    Operation(Box<Self>, Operator, Box<Self>),
    Call(String, Vec<Self>),
}

impl Raw {
    fn checked(self) -> Result<Formula, String> {
        Ok(match self {
            Self::Number(number) => Formula::Number(number),
            Self::Metric(id) if id.starts_with(|first: char| first.is_ascii_lowercase()) => Formula::Metric(id),
            Self::Metric(word) => return Err(format!("{word} is not known here")),
            Self::Operation(left, operator, right) => {
                Formula::Operation(Box::new(left.checked()?), operator, Box::new(right.checked()?))
            }
            Self::Call(name, arguments) => {
                let arguments = arguments.into_iter().map(Self::checked).collect::<Result<Vec<_>, _>>()?;
                match (name.as_str(), arguments.as_slice()) {
                    ("FILL", [_, Formula::Number(_)]) => Formula::Call(Function::Fill, arguments),
                    ("IF", [_, _, _]) => Formula::Call(Function::If, arguments),
                    ("FILL", _) => return Err("FILL is known here with a series and a number only".to_owned()),
                    ("IF", _) => return Err("IF is known here with three arguments only".to_owned()),
                    _ => return Err(format!("the function {name} is not known here")),
                }
            }
        })
    }
}

fn formula(input: &mut &str) -> winnow::Result<Raw> {
    expression(spaced(operand)).infix(spaced(operator)).parse_next(input)
}

fn operand(input: &mut &str) -> winnow::Result<Raw> {
    alt((delimited('(', formula, ')'), number.map(Raw::Number), named)).parse_next(input)
}

fn number(input: &mut &str) -> winnow::Result<f64> {
    (digit1, opt(preceded('.', digit1))).take().parse_to().parse_next(input)
}

/// Parses a function call or a metric.
fn named(input: &mut &str) -> winnow::Result<Raw> {
    let word = |first: char| first.is_ascii_alphanumeric() || first == '_';
    let name = take_while(1.., word).parse_next(input)?;
    let arguments = opt(delimited((multispace0, '('), separated(0.., formula, ','), ')')).parse_next(input)?;
    Ok(match arguments {
        Some(arguments) => Raw::Call(name.to_owned(), arguments),
        None => Raw::Metric(name.to_owned()),
    })
}

fn operator<'i>(input: &mut &'i str) -> winnow::Result<Infix<&'i str, Raw, ContextError>> {
    macro_rules! infix {
        ($power:literal, $operator:ident) => {
            Infix::Left($power, |_: &mut &'i str, left, right| {
                Ok(Raw::Operation(Box::new(left), Operator::$operator, Box::new(right)))
            })
        };
    }
    let connects = alt((alt(("OR", "||")).value(infix!(1, Or)), alt(("AND", "&&")).value(infix!(2, And))));
    let compares = alt((
        ">=".value(infix!(3, AtLeast)),
        "<=".value(infix!(3, AtMost)),
        "==".value(infix!(3, Equal)),
        "!=".value(infix!(3, Unequal)),
        '>'.value(infix!(3, Above)),
        '<'.value(infix!(3, Below)),
    ));
    let computes = alt((
        '+'.value(infix!(4, Add)),
        '-'.value(infix!(4, Subtract)),
        '*'.value(infix!(5, Multiply)),
        '/'.value(infix!(5, Divide)),
    ));
    alt((connects, compares, computes)).parse_next(input)
}

fn spaced<'i, O, E: ParserError<&'i str>>(parser: impl Parser<&'i str, O, E>) -> impl Parser<&'i str, O, E> {
    delimited(multispace0, parser, multispace0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, values: &[(&str, f64)]) -> Option<f64> {
        let of = |id: &str| values.iter().find(|(known, _)| *known == id).map(|(_, value)| *value);
        Formula::parse(text).unwrap().value(&of)
    }

    #[test]
    fn operators_bind_as_in_arithmetic() {
        for (text, expected) in [
            ("1 + 2 * 3", 7.0),
            ("(1+2)*3", 9.0),
            ("10 - 4 - 3", 3.0),
            ("8 / 4 / 2", 1.0),
            ("2 * 3 >= 6 AND 1 > 2", 0.0),
            ("1 == 2 OR 3 != 2", 1.0),
            ("1 < 2 && 2 <= 2 || 0 > 1", 1.0),
            ("IF(0.5 > 1, 1, 0) + 2.5", 2.5),
        ] {
            assert_eq!(value(text, &[]), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_missing_operand_is_missing_unless_it_is_filled() {
        let errors = [("errors", 4.0)];
        assert_eq!(value("errors + successes", &errors), None);
        assert_eq!(value("errors >= successes", &errors), None);
        assert_eq!(value("FILL(errors, 0) + FILL(successes, 0)", &errors), Some(4.0));
        assert_eq!(value("IF(successes > 1, 1, 0)", &errors), None);
        assert_eq!(value("FILL(successes, 7)", &[]), Some(7.0));
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for (text, problem) in [
            ("MAX(errors)", "the function MAX is not known here"),
            ("FILL(errors, REPEAT)", "REPEAT is not known here"),
            ("FILL(errors, successes)", "FILL is known here with a series and a number only"),
            ("IF(errors, 1)", "IF is known here with three arguments only"),
            ("errors ^ 2", "metric math is not understood from `^ 2` on"),
            ("(errors", "metric math is not understood from `(errors` on"),
            ("", "metric math is not understood from `` on"),
        ] {
            assert_eq!(Formula::parse(text).unwrap_err().to_string(), format!("{problem}: {text}"));
        }
    }

    #[test]
    fn a_formula_lists_the_metrics_that_it_reads() {
        let formula = Formula::parse("IF(FILL(slow, 0) >= errors + successes, slow, 0)").unwrap();
        assert_eq!(formula.metrics(), BTreeSet::from(["errors", "slow", "successes"]));
    }
}
