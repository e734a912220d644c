package smpp

// RefusePublic is what a dialer asks about a resolved address.
var RefusePublic = refusePublic
