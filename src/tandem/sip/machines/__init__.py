"""Transactions, dialogs and what else has states or timers; sans-IO."""
