package ledger

// OwnSlots reads CLUSTER NODES.
var OwnSlots = ownSlots
