// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A tracing module that stays out of kernels where patching text is unsafe: it asks the header for
 * the kernel that it is loaded into, not for the one that it was built for.
 *
 *	insmod gated.ko [force=text-poke] [strict=1]
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/utsname.h>

#include "tracing_blacklist.h"

static char *force;
module_param(force, charp, 0444);
MODULE_PARM_DESC(force, "operations to allow whatever is known of them, or 'all'");

static bool strict;
module_param(strict, bool, 0444);
MODULE_PARM_DESC(strict, "take unknown for affected");

/* Both structs are too large for a kernel's stack to bear them side by side with much else. */
struct gate {
	struct ktb_kernel kernel;
	struct ktb_answer answer;
};

static int gate_ask(struct gate *g, const char *op)
{
	if (!ktb_identify(&g->kernel, init_utsname()->release, init_utsname()->version, NULL))
		return -EINVAL;
	ktb_force(&g->kernel, force);
	ktb_strict(&g->kernel, strict);
	g->answer = ktb_check(&g->kernel, op);
	if (g->answer.forced)
		pr_warn("gated: %s forced by the user, though %s\n", op, g->answer.reason);
	else if (!g->answer.allowed)
		pr_err("gated: %s refused: %s\n", op, g->answer.reason);
	return g->answer.allowed ? 0 : -EOPNOTSUPP;
}

static int __init gated_init(void)
{
	struct gate *g = kzalloc(sizeof(*g), GFP_KERNEL);
	int err = g ? gate_ask(g, KTB_OP_TEXT_POKE) : -ENOMEM;

	kfree(g);
	return err;
}

static void __exit gated_exit(void)
{
}

module_init(gated_init);
module_exit(gated_exit);
MODULE_DESCRIPTION("asks tracing_blacklist.h before it traces");
MODULE_LICENSE("Dual MIT/GPL");
