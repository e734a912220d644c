package postgres

// Gathered tells which pieces of work, each with its keys, one group takes.
func Gathered(pieces ...[2]string) (places []int) {
	g := gathering[*piece]{alike: func(_, _ *piece) bool { return true }, most: len(pieces), keys: map[string]struct{}{}}
	for i, keys := range pieces {
		before := len(g.group)
		if g.add(&piece{work{key: keys[0], also: keys[1]}}); len(g.group) > before {
			places = append(places, i)
		}
	}
	return places
}
