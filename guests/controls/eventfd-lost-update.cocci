// SPDX-License-Identifier: GPL-2.0-or-later
//
// A fixture, no hazard: puts a lost update into fs/eventfd.c of Linux 6.1.y.
//
// A write adds to the counter once it has left the lock, by one instruction that is not atomic. What
// another CPU adds between its load and its store is lost. No Linux was ever like that: it is what
// delays are measured on. Readers that sleep may miss their wakeup; the probe has none.

@@
expression ctx, ucnt, res;
@@
eventfd_write(...)
{
	...
	if (likely(res > 0)) {
-		ctx->count += ucnt;
		...
	}
	spin_unlock_irq(&ctx->wqh.lock);
+	if (res > 0)
+		ctx->count += ucnt;
	...
}
