package postgres

// byKeys makes the statements that follow in its transaction look rows up by
// their keys, as group commits do on their connections, with plans that are made
// once, however small or new the tables were then: a queue may be empty when its
// plan is made and long a minute later. Statements over arrays need it most: the
// planner makes their plans anew at every call, and for few rows reads tables.
const byKeys = `SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true),
	set_config('enable_bitmapscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`
