package netio

func child(mode string) {}
