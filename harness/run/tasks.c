// SPDX-License-Identifier: GPL-2.0-or-later
/* See tasks.h. Lists are walked by their next pointers; all of them may be garbage. */
#include "run/tasks.h"

#include <string.h>

#define STATE_UNINTERRUPTIBLE 2		/* include/linux/sched.h: since 2.6 the same */
#define STATE_NOLOAD 0x400		/* TASK_IDLE = both, since 4.2 */

struct offsets {
	uint32_t tasks, comm, pid, state, sp, frame_bp, frame_ret, frame_size;
	uint32_t signal, thread_head, thread_node;
	bool threads;	/* the last three are known (3.14+) */
};

static bool read_u64(const struct unwind_env *env, uint64_t addr, uint64_t *ret)
{
	return addr >> 63 && !(addr & 7) && env->read(env->user, addr, ret, sizeof(*ret));
}

/* task_struct.state became __state in 5.14. */
static bool find_offsets(const struct btf *b, struct offsets *o)
{
	o->frame_size = btf_size(b, "inactive_task_frame");
	o->threads = btf_offset(b, "task_struct", "signal", &o->signal) &&
		     btf_offset(b, "signal_struct", "thread_head", &o->thread_head) &&
		     btf_offset(b, "task_struct", "thread_node", &o->thread_node);
	return btf_offset(b, "task_struct", "tasks", &o->tasks) &&
	       btf_offset(b, "task_struct", "comm", &o->comm) &&
	       btf_offset(b, "task_struct", "pid", &o->pid) &&
	       (btf_offset(b, "task_struct", "__state", &o->state) ||
		btf_offset(b, "task_struct", "state", &o->state)) &&
	       btf_offset(b, "task_struct", "thread.sp", &o->sp) && o->frame_size &&
	       btf_offset(b, "inactive_task_frame", "bp", &o->frame_bp) &&
	       btf_offset(b, "inactive_task_frame", "ret_addr", &o->frame_ret);
}

/* What __switch_to_asm left on the task's stack (arch/x86/include/asm/switch_to.h). */
static void read_regs(const struct offsets *o, const struct unwind_env *env, struct task_view *t)
{
	uint64_t sp, bp, ip;

	if (!read_u64(env, t->addr + o->sp, &sp) || !read_u64(env, sp + o->frame_bp, &bp) ||
	    !read_u64(env, sp + o->frame_ret, &ip))
		return;
	t->regs = (struct unwind_regs){ .ip = ip, .sp = sp + o->frame_size, .bp = bp,
					.called = true };
}

static bool read_task(const struct offsets *o, const struct unwind_env *env, uint64_t addr,
		      struct task_view *ret)
{
	struct task_view t = { .addr = addr };

	if (!env->read(env->user, addr + o->comm, t.comm, sizeof(t.comm) - 1) ||
	    !env->read(env->user, addr + o->pid, &t.pid, sizeof(t.pid)) ||
	    !env->read(env->user, addr + o->state, &t.state, sizeof(t.state)))
		return false;
	for (char *c = t.comm; *c; c++)
		if (!g_ascii_isprint(*c))
			*c = '?';
	t.blocked = t.state & STATE_UNINTERRUPTIBLE && !(t.state & STATE_NOLOAD);
	if (t.state)
		read_regs(o, env, &t);
	*ret = t;
	return true;
}

/* The owners of all nodes of the list behind `head`. */
static void walk_list(const struct unwind_env *env, uint64_t head, uint32_t node_offset,
		      GArray *ret_addrs)
{
	uint64_t at = head;

	for (unsigned i = 0; i < TASKS_WALKED_MAX && read_u64(env, at, &at) && at != head; i++) {
		uint64_t owner = at - node_offset;

		g_array_append_val(ret_addrs, owner);
	}
}

/* A process's threads; the leader alone where its list is not to be had. */
static void add_process(const struct offsets *o, const struct unwind_env *env, uint64_t leader,
			GArray *tasks)
{
	g_autoptr(GArray) threads = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	struct task_view t;
	uint64_t signal;

	if (o->threads && read_u64(env, leader + o->signal, &signal))
		walk_list(env, signal + o->thread_head, o->thread_node, threads);
	if (!threads->len)
		g_array_append_val(threads, leader);
	for (guint i = 0; i < threads->len && tasks->len < TASKS_WALKED_MAX; i++)
		if (read_task(o, env, g_array_index(threads, uint64_t, i), &t))
			g_array_append_val(tasks, t);
}

GArray *tasks_read(const struct facts *f, const struct unwind_env *env, const char **ret_why)
{
	const struct kallsym *init = f && f->kallsyms ? kallsyms_find(f->kallsyms, "init_task") : NULL;
	g_autoptr(GArray) leaders = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	struct offsets o = { 0 };
	g_autoptr(GArray) tasks = g_array_new(FALSE, FALSE, sizeof(struct task_view));

	*ret_why = !f		     ? "the kernel's image could not be read" :
		   !f->btf	     ? "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)" :
		   !init	     ? "the kernel names no init_task (CONFIG_KALLSYMS_ALL)" :
				       "its BTF has not what a list of tasks wants";
	if (!init || !f->btf || !find_offsets(f->btf, &o))
		return NULL;
	walk_list(env, init->addr + o.tasks, o.tasks, leaders);
	for (guint i = 0; i < leaders->len && tasks->len < TASKS_WALKED_MAX; i++)
		add_process(&o, env, g_array_index(leaders, uint64_t, i), tasks);
	*ret_why = tasks->len ? NULL : "its list of tasks cannot be read";
	return tasks->len ? g_steal_pointer(&tasks) : NULL;
}
