package access

// TakeTurn takes one of the turns to hash a password and returns what gives it
// back; it blocks while there is none.
func (p *Passwords) TakeTurn() (give func()) {
	p.turns <- struct{}{}
	return func() { <-p.turns }
}
