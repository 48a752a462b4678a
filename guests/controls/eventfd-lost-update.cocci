// SPDX-License-Identifier: GPL-2.0-or-later
//
// A fixture, no hazard: puts a lost update into fs/eventfd.c of Linux 6.1.y.
//
// A write adds to the counter once it has left the lock, by one instruction that is not atomic. What
// another CPU adds between its load and its store is lost. No Linux was ever like that: it is what
// delays are measured on. The instruction is in a function of its own, so that the place has a name.
// Readers that sleep may miss their wakeup; the probe has none.

@@
identifier ctx, ucnt, res;
attribute name noinline;
typedef __u64;
@@
+static void noinline eventfd_add(struct eventfd_ctx *ctx, __u64 n)
+{
+	ctx->count += n;
+}
+
eventfd_write(...)
{
	...
	if (likely(res > 0)) {
-		ctx->count += ucnt;
		...
	}
	spin_unlock_irq(&ctx->wqh.lock);
+	if (res > 0)
+		eventfd_add(ctx, ucnt);
	...
}
