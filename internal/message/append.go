package message

// Append returns t followed by others, without anything in between.
func (t Template) Append(others ...Template) Template {
	literals := append([]string{}, t.literals...)
	if len(literals) == 0 {
		literals = []string{""}
	}
	for _, o := range others {
		if len(o.literals) == 0 {
			continue
		}
		literals[len(literals)-1] += o.literals[0]
		literals = append(literals, o.literals[1:]...)
	}
	return Template{literals: literals}
}
