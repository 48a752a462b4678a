// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * A sampling profiler that asks tracing_blacklist.h before it loads anything.
 *
 * Samples are of use without user memory: where reading it is unsafe, they go without. That is to
 * degrade. Counting a function's calls needs a kprobe, and nothing else will do: where that is
 * unsafe, the sampler refuses and loads nothing. The user may force either, and the report says so.
 *
 *	sampler [--count FUNCTION] [--duration-ms N] [--force[=OP,OP]] [--strict]
 *		[--release 'uname -r' [--version 'uname -v']] [--plan]
 *
 * --release decides as on that kernel, --plan stops before anything is loaded. Exit: 0 done,
 * 1 refused, 2 usage, 3 cannot trace here.
 */
#define KTB_WITH_STDIO
#include "tracing_blacklist.h"

#include <errno.h>
#include <getopt.h>
#include <linux/perf_event.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "sampler.h"
#include "sampler.skel.h"

enum { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, EXIT_NO_BPF };
enum { MAX_CPUS = 1024, SAMPLES_PER_SECOND = 99 };

struct options {
	const char *release, *version, *force, *count;
	bool strict, plan;
	int duration_ms;
};

/* What a feature does to the kernel, in words of the header. Samples come by NMI where there is a
 * PMU, by a timer's interrupt elsewhere. */
static const char *const copy_ops[] = { KTB_OP_NMI_USER_READ, KTB_OP_IRQ_USER_READ, NULL };
static const char *const count_ops[] = { KTB_OP_TEXT_POKE, NULL };

/* May all of these be done? Says why not; what the user forced belongs to the report, on stdout. */
static bool may(const struct ktb_kernel *kernel, const char *const *ops, const char *otherwise)
{
	bool all = true;

	for (; *ops; ops++) {
		struct ktb_answer a = ktb_check(kernel, *ops);
		const char *effect = a.forced ? "forced" : a.allowed ? "noted" : otherwise;

		if (a.value != KTB_CLEAN)
			fprintf(a.forced ? stdout : stderr, "sampler: %s: %s is %s%s: %s\n", effect,
				*ops, ktb_value_name(a.value), a.strict ? " (strict)" : "",
				a.reason);
		all = all && a.allowed;
	}
	return all;
}

static int open_event(struct perf_event_attr *attr, int cpu)
{
	return (int)syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static int attach_samples(struct sampler *skel, struct bpf_link **links)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_CPU_CYCLES,
		.sample_freq = SAMPLES_PER_SECOND,
		.freq = 1,
	};
	int n = libbpf_num_possible_cpus();

	for (int cpu = 0; cpu < n && cpu < MAX_CPUS; cpu++) {
		int fd = open_event(&attr, cpu);

		if (fd < 0 && errno != ENODEV && attr.type == PERF_TYPE_HARDWARE) {
			attr.type = PERF_TYPE_SOFTWARE; /* no PMU */
			attr.config = PERF_COUNT_SW_CPU_CLOCK;
			fd = open_event(&attr, cpu);
		}
		if (fd < 0 && errno == ENODEV) /* that CPU is offline */
			continue;
		if (fd < 0)
			return -errno;
		links[cpu] = bpf_program__attach_perf_event(skel->progs.sample, fd);
		if (!links[cpu])
			return -errno;
	}
	return 0;
}

struct tally {
	unsigned long samples, with_memory;
};

static int take_sample(void *context, void *data, size_t size)
{
	struct tally *t = context;
	const struct sample *s = data;

	if (size < sizeof(*s))
		return 0;
	t->samples++;
	t->with_memory += s->n_words > 0;
	return 0;
}

static int collect(struct sampler *skel, int duration_ms, struct tally *tally)
{
	struct ring_buffer *ring =
		ring_buffer__new(bpf_map__fd(skel->maps.samples), take_sample, tally, NULL);

	if (!ring)
		return -errno;
	usleep((useconds_t)duration_ms * 1000);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return 0;
}

static int trace(struct sampler *skel, const struct options *o)
{
	static struct bpf_link *links[MAX_CPUS];
	struct bpf_link *counter = NULL;
	struct tally tally = { 0, 0 };
	int err = sampler__load(skel);

	if (!err)
		err = attach_samples(skel, links);
	if (!err && o->count) {
		counter = bpf_program__attach_kprobe(skel->progs.count, false, o->count);
		err = counter ? 0 : -errno;
	}
	if (!err)
		err = collect(skel, o->duration_ms, &tally);
	if (!err)
		printf("%lu samples, %lu with user memory\n", tally.samples, tally.with_memory);
	if (!err && o->count)
		printf("%llu calls of %s\n", (unsigned long long)skel->bss->calls, o->count);
	bpf_link__destroy(counter);
	for (int cpu = 0; cpu < MAX_CPUS; cpu++)
		bpf_link__destroy(links[cpu]);
	return err;
}

static int run(const struct options *o, bool copy)
{
	struct sampler *skel = sampler__open();
	int err;

	if (!skel)
		return -errno;
	skel->rodata->copy_user_memory = copy;
	bpf_program__set_autoload(skel->progs.count, o->count != NULL);
	err = trace(skel, o);
	sampler__destroy(skel);
	return err;
}

static bool identify(const struct options *o, struct ktb_kernel *kernel)
{
	bool known = o->release ? ktb_identify(kernel, o->release, o->version, NULL)
				: ktb_identify_host(kernel);

	if (!known)
		fprintf(stderr, "sampler: '%s' is no kernel release\n",
			o->release ? o->release : "uname -r");
	ktb_strict(kernel, o->strict);
	ktb_force(kernel, o->force);
	return known;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN && getenv("SAMPLER_DEBUG") ? vfprintf(stderr, format, args) : 0;
}

static int sampler_main(const struct options *o)
{
	struct ktb_kernel kernel;
	bool copy;
	int err;

	if (!identify(o, &kernel))
		return EXIT_USAGE;
	if (o->count && !may(&kernel, count_ops, "refused")) {
		fputs("hint: --force=" KTB_OP_TEXT_POKE " counts all the same\n", stderr);
		return EXIT_REFUSED;
	}
	copy = may(&kernel, copy_ops, "without user memory");
	printf("plan: samples%s%s%s\n", copy ? " with user memory" : "",
	       o->count ? ", calls of " : "", o->count ? o->count : "");
	if (o->plan)
		return EXIT_DONE;
	libbpf_set_print(quiet);
	err = run(o, copy);
	if (err)
		fprintf(stderr, "sampler: cannot trace here: %s\n", strerror(-err));
	return err ? EXIT_NO_BPF : EXIT_DONE;
}

static const struct option long_options[] = {
	{ "release", required_argument, NULL, 'r' },
	{ "version", required_argument, NULL, 'v' },
	{ "force", optional_argument, NULL, 'f' },
	{ "strict", no_argument, NULL, 's' },
	{ "plan", no_argument, NULL, 'p' },
	{ "count", required_argument, NULL, 'c' },
	{ "duration-ms", required_argument, NULL, 'd' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct options o = { .duration_ms = 1000 };
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'r':
			o.release = optarg;
			break;
		case 'v':
			o.version = optarg;
			break;
		case 'f':
			o.force = optarg ? optarg : "all";
			break;
		case 's':
			o.strict = true;
			break;
		case 'p':
			o.plan = true;
			break;
		case 'c':
			o.count = optarg;
			break;
		case 'd':
			o.duration_ms = atoi(optarg);
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return sampler_main(&o);
}
