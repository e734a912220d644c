package postgres

import "strings"

// keyPlans are settings with which statements look rows up by their keys, with
// plans that are made once, however small or new the tables were then. Group
// commits have them on their connections.
var keyPlans = [...]struct{ name, value string }{
	{"plan_cache_mode", "force_generic_plan"},
	{"enable_seqscan", "off"},
	{"enable_bitmapscan", "off"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
}

// byKeys is keyPlans for the transaction that begins with it: a queue may be
// empty when its plan is made and long a minute later. Statements over arrays
// need it most: the planner makes their plans anew at every call, and for few
// rows reads tables.
var byKeys = func() string {
	var set []string
	for _, s := range keyPlans {
		set = append(set, "set_config('"+s.name+"', '"+s.value+"', true)")
	}
	return "SELECT " + strings.Join(set, ", ")
}()
