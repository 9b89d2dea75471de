//! Subcommands and arguments that are only described to the parser when their command is invoked.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Subcommand};

/// The subcommands `T` of a command, flattened into it.
///
/// The parser would otherwise build all of them at each start: 12 % of the instructions of `relink token`.
#[derive(Debug)]
pub(crate) struct Deferred<T>(pub(crate) T);

impl<T: Subcommand> Args for Deferred<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| T::augment_subcommands(command).subcommand_required(true).arg_required_else_help(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(T::augment_subcommands_for_update)
    }
}

impl<T: Subcommand> FromArgMatches for Deferred<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

/// The arguments `T` of a command, flattened into it, for the same reason.
#[derive(Debug)]
pub(crate) struct DeferredArgs<T>(pub(crate) T);

impl<T: Args> Args for DeferredArgs<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(T::augment_args)
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(T::augment_args_for_update)
    }
}

impl<T: FromArgMatches> FromArgMatches for DeferredArgs<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
