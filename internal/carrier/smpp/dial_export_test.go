package smpp

// NewNetDialer is newNetDialer.
var NewNetDialer = newNetDialer
