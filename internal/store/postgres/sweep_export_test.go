package postgres

// SelectAged is a purge's read of OTPs.
const SelectAged = selectAged
