package phone

// Guarded lets a test meet a panic of the number library.
var Guarded = guarded
