//! JSONata exactly as Truto evaluates it: Truto's own packages, run by QuickJS on threads of their own and within limits.
