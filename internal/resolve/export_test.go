package resolve

// By is by.
var By = by
