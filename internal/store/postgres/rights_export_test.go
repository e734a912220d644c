package postgres

// Rights are those that Open asks for.
var Rights = rights
