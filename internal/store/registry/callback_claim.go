package registry

// FewDue is how many due callbacks a claim reads as they are. Where there are more,
// it steps from configuration to configuration instead.
const FewDue = "256"
