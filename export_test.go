package keyslot

// SlotOfBytes is slotOf for the external tests.
func SlotOfBytes(key []byte) uint16 { return slotOf(key) }
