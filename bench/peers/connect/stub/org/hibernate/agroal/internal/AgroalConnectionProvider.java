package org.hibernate.agroal.internal;

import org.hibernate.engine.jdbc.connections.internal.DriverManagerConnectionProviderImpl;

/** Debezium loads this class as the default of connection.provider, whatever is configured. Hibernate's own pool in its place: one connection a task either way. */
public class AgroalConnectionProvider extends DriverManagerConnectionProviderImpl {}
