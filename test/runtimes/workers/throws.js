// A worker that fails before it listens.

throw new Error("on purpose");
