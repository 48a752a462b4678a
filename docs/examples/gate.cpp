// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * tracing_blacklist.h behind a C++17 interface: what a product written in C++ wraps around it.
 *
 *	gate [--strict] [--force OP,OP|all] RELEASE [VERSION]
 *
 * Prints a line for each operation: OP VALUE EVIDENCE yes|no|forced REASON. Exit: 0 all may be
 * used, 1 not all, 2 usage.
 */
#include "tracing_blacklist.h"

#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace tracing {

/* What unknown means: a product for desktops may allow it, one for other people's servers not. */
enum class Unknown { allow, refuse };

class Kernel {
public:
	Kernel(const std::string &release, const std::optional<std::string> &version,
	       Unknown unknown, std::string force = {})
		: force_{std::move(force)}
	{
		if (!ktb_identify(&kernel_, release.c_str(), version ? version->c_str() : nullptr,
				  nullptr))
			throw std::invalid_argument{"'" + release + "' is no kernel release"};
		ktb_strict(&kernel_, unknown == Unknown::refuse);
	}

	ktb_answer check(const char *op) const
	{
		/* The kernel borrows the list: lend it for the call, so that copies stay safe. */
		ktb_kernel kernel = kernel_;

		ktb_force(&kernel, force_.c_str());
		return ktb_check(&kernel, op);
	}

private:
	ktb_kernel kernel_{};
	std::string force_;
};

} // namespace tracing

namespace {

bool report(const tracing::Kernel &kernel)
{
	bool all = true;

	for (std::size_t i = 0; i < KTB_N_OPS; i++) {
		const auto answer = kernel.check(ktb_ops[i]);

		std::cout << ktb_ops[i] << ' ' << ktb_value_name(answer.value) << ' '
			  << ktb_evidence_name(answer.evidence) << ' '
			  << (answer.forced ? "forced" : answer.allowed ? "yes" : "no") << ' '
			  << answer.reason << '\n';
		all = all && answer.allowed;
	}
	return all;
}

} // namespace

int main(int argc, char **argv)
{
	auto unknown = tracing::Unknown::allow;
	std::string force;
	int at = 1;

	for (; at < argc && std::string_view{argv[at]}.substr(0, 2) == "--"; at++) {
		if (argv[at] == std::string_view{"--strict"})
			unknown = tracing::Unknown::refuse;
		else if (argv[at] == std::string_view{"--force"} && at + 1 < argc)
			force = argv[++at];
		else
			break;
	}
	if (at >= argc || at + 2 < argc) {
		std::cerr << "usage: gate [--strict] [--force OP,OP|all] RELEASE [VERSION]\n";
		return 2;
	}
	try {
		const auto version =
			at + 1 < argc ? std::optional<std::string>{argv[at + 1]} : std::nullopt;

		return report(tracing::Kernel{argv[at], version, unknown, force}) ? 0 : 1;
	} catch (const std::invalid_argument &error) {
		std::cerr << "gate: " << error.what() << '\n';
		return 2;
	}
}
