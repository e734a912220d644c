package postgres

// Claims are the statements that claim and record callbacks, by name.
func Claims() map[string]string {
	return map[string]string{
		"holdConfigs": holdConfigs, "claimCallbacks": claimCallbacks, "notePushes": notePushes,
		"receivedCallbacks": receivedCallbacks, "failedCallbacks": failedCallbacks,
	}
}

// Seeks are the statements that find what there is to queue and to claim, by
// name. They run without ByKeys.
func Seeks() map[string]string {
	return map[string]string{"selectConfigs": selectConfigs, "selectDueConfigs": selectDueConfigs}
}

// ByKeys is what is set before them.
var ByKeys = byKeys

// HeldAgain is when a claim looks again at what another node holds.
const HeldAgain = heldAgain
