package postgres

// EncodeID lets tests look up ids as the tables keep them.
var EncodeID = encodeID

// HighWaterMeta names the row of the clock's high-water mark.
const HighWaterMeta = highWaterMeta

// Skew compares clocks as Open does.
var Skew = skew

// Hot are the statements of group commits, by name.
func Hot() map[string]string {
	return map[string]string{"createOTPs": createOTPs, "lockOTPs": lockOTPs, "lockTallies": lockTallies, "countAttempts": countAttempts}
}

// GroupSettings are what group commits set for their connections.
func GroupSettings(url string) (map[string]string, error) {
	s, err := parse(url)
	if err != nil {
		return nil, err
	}
	return s.groups.ConnConfig.RuntimeParams, nil
}
