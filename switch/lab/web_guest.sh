#!/bin/sh
#
# What the guests of web.sh do at their first boot.

set -eu

case $(hostname) in
lb)
	cat >/etc/haproxy/haproxy.cfg <<-'END'
		defaults
			mode http
			timeout connect 500ms
			timeout client 10s
			timeout server 10s
			retries 3
			option redispatch 1

		frontend all
			bind :80
			default_backend web

		backend web
			balance roundrobin
			default-server check inter 500ms fall 2 rise 1
			server web1 web1:80
			server web2 web2:80
	END
	systemctl disable --now nginx
	systemctl restart haproxy
	;;
web*)
	hostname >/var/www/html/index.html
	systemctl disable --now haproxy
	systemctl restart nginx
	;;
esac
