package sandbox

// DecodeQuery lets tests decode without a request.
var DecodeQuery = decodeQuery
